//! JSON repair: what the model writes is kept as far as it is JSON; the rest is written again under a constraint.
#![no_std]
use realm::alloc::format;
use realm::{decode, say, Constraint, Json, Request, Result, Wish};

realm::program!(run);

/// What it must be at least.
const SCHEMA: &str = r#"{"type":["object","array"]}"#;

fn run(request: &Request) -> Result<()> {
    let sequence = request.sequence()?;
    let repaired = sequence.fork(1)?.remove(0);
    let draft = sequence.generate(&Wish::new(request.max_tokens))?;
    let text = draft.text()?;
    if Json::parse(&text).is_some() {
        return say(&text);
    }
    // Whole tokens that end before the first mistake.
    let valid = Json::valid_length(&text);
    let mut kept = draft.tokens.len();
    while kept > 0 && decode(request.model, &draft.tokens[..kept])?.len() > valid {
        kept -= 1;
    }
    repaired.constrain(Some(&Constraint::json_schema(request.model, SCHEMA)?))?;
    let whole = repaired.len()?;
    for kept in (0..=kept).rev() {
        // What the schema forbids says so, and a token less is kept.
        repaired.truncate(whole)?;
        repaired.push(&draft.tokens[..kept])?;
        let rest = repaired.generate(&Wish::new(request.max_tokens))?;
        let all = format!("{}{}", decode(request.model, &draft.tokens[..kept])?, rest.text()?);
        if rest.error.is_none() && Json::parse(&all).is_some() {
            return say(all.trim_start());
        }
    }
    // The limit leaves no room for more.
    say("{}")
}
