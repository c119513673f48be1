//! An agent with a tool: the model either answers or calls one, in a form that it cannot get wrong, until it answers.
#![no_std]
use realm::alloc::{format, string::String, string::ToString};
use realm::{event, last_error, parse_answer, quote, say, tool, Constraint, Json, Request, Result, Sequence, Wish};

realm::program!(run);

const STEPS: usize = 8;

/// The arguments of a call as a text of JSON, however the format has them.
fn input_of(call: &Json) -> String {
    match call.get("arguments") {
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "{}".to_string(),
    }
}

/// What the tool says, or why it says nothing: the model may try something else.
fn result_of(call: &Json) -> String {
    tool(call.text("name"), &input_of(call)).unwrap_or_else(|_| format!("failed: {}", last_error()))
}

fn run(request: &Request) -> Result<()> {
    let tools = request.tools();
    let mut messages = Json::Array(request.messages()).to_string();
    messages.pop();
    let held = Constraint::tools(request.model, &format!(r#"{{"tools":{tools}}}"#))?;
    for step in 0..STEPS {
        let sequence = Sequence::new(request.model)?;
        sequence.chat(&format!(r#"{{"messages":{messages}],"tools":{tools}}}"#))?;
        sequence.constrain(Some(&held))?;
        let tokens = sequence.generate(&Wish::new(request.max_tokens))?.tokens;
        let answer = parse_answer(request.model, &tools, &tokens)?;
        let calls = answer.get("tool_calls").map_or(&[][..], Json::items);
        if calls.is_empty() {
            return say(answer.text("content"));
        }
        let (mut asked, mut told) = (String::new(), String::new());
        for (i, call) in calls.iter().enumerate() {
            let (id, name) = (format!(r#""call_{step}_{i}""#), quote(call.text("name")));
            event(&format!(r#"{{"called":{name}}}"#))?;
            let what = format!(r#"{{"name":{name},"arguments":{}}}"#, quote(&input_of(call)));
            let comma = if i > 0 { "," } else { "" };
            asked += &format!(r#"{comma}{{"id":{id},"type":"function","function":{what}}}"#);
            told += &format!(r#",{{"role":"tool","tool_call_id":{id},"content":{}}}"#, quote(&result_of(call)));
        }
        messages += &format!(r#",{{"role":"assistant","content":"","tool_calls":[{asked}]}}{told}"#);
    }
    say(&format!("I could not find out within {STEPS} steps."))
}
