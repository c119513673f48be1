"""OpenAI's client for Python against the server of OPENAI_BASE_URL."""
import json
import unittest

from openai import OpenAI
from pydantic import BaseModel, Field

client = OpenAI(max_retries=0, timeout=120)
CAPITAL = [{"role": "user", "content": "Name the capital city of France."}]
DESCRIBE = "Describe Paris as JSON: its name and country."
SETTINGS = {"model": "qwen", "temperature": 0, "max_tokens": 60}


class City(BaseModel):
    name: str
    country: str = Field(max_length=30)


PARIS = City(name="Paris", country="France")
QUESTION = {"role": "user", "content": "Call weather for Paris."}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "weather", "description": "The weather of a city", "parameters": PARAMETERS}
OSLO = {"name": "weather", "arguments": '{"city": "Oslo"}'}
EARLIER = [
    {"role": "user", "content": "What is the weather in Oslo?"},
    {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function", "function": OSLO}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "snow, 2 degrees"},
    {"role": "assistant", "content": "In Oslo there is snow, at 2 degrees."},
]


class Client(unittest.TestCase):
    def test_chat(self):
        answer = client.chat.completions.create(**{**SETTINGS, "model": "smol"}, messages=CAPITAL)
        self.assertIn("Paris", answer.choices[0].message.content)

    def test_stream(self):
        with client.chat.completions.stream(**{**SETTINGS, "model": "smol"}, messages=CAPITAL) as stream:
            deltas = [event.delta for event in stream if event.type == "content.delta"]
            self.assertEqual("".join(deltas), stream.get_final_completion().choices[0].message.content)
        self.assertGreater(len(deltas), 1)

    def test_parse(self):
        messages = [{"role": "user", "content": DESCRIBE}]
        answer = client.chat.completions.parse(**SETTINGS, messages=messages, response_format=City)
        self.assertEqual(answer.choices[0].message.parsed, PARIS)

    def test_tools(self):
        messages = [*EARLIER, QUESTION]
        tools = [{"type": "function", "function": WEATHER}]
        first = client.chat.completions.create(**SETTINGS, messages=messages, tools=tools).choices[0]
        call = first.message.tool_calls[0]
        self.assertEqual(json.loads(call.function.arguments), {"city": "Paris"})
        result = {"role": "tool", "tool_call_id": call.id, "content": "sun, 31 degrees"}
        last = client.chat.completions.create(**SETTINGS, messages=[*messages, first.message, result], tools=tools)
        self.assertRegex(last.choices[0].message.content, "31 degrees")

    def test_responses(self):
        settings = {"model": "qwen", "temperature": 0, "max_output_tokens": 60}
        self.assertEqual(client.responses.parse(**settings, input=DESCRIBE, text_format=City).output_parsed, PARIS)
        tools = [{"type": "function", **WEATHER, "strict": False}]
        with client.responses.stream(**settings, input=[QUESTION], tools=tools, tool_choice="required") as stream:
            for _ in stream:
                pass
            call = stream.get_final_response().output[0]
        self.assertEqual(json.loads(call.arguments), {"city": "Paris"})

    def test_embeddings(self):
        data = client.embeddings.create(model="smol", input=["a cat", "a kitten"]).data
        self.assertEqual([len(each.embedding) for each in data], [576, 576])


unittest.main()
