//! Speculative drafting: what followed the last tokens earlier is guessed to follow again. The answer stays what it is.
#![no_std]
use realm::{say, Reason, Request, Result, Wish};

realm::program!(run);

const GRAM: usize = 3;
const DRAFT: usize = 16;

/// What stands behind the last place where the last tokens stood before.
fn guess(tokens: &[u32]) -> &[u32] {
    let last = &tokens[tokens.len().saturating_sub(GRAM)..];
    let earlier = &tokens[..tokens.len().saturating_sub(1)];
    match earlier.windows(GRAM).rposition(|window| window == last) {
        Some(at) => &tokens[at + GRAM..tokens.len().min(at + GRAM + DRAFT)],
        None => &[],
    }
}

fn run(request: &Request) -> Result<()> {
    let sequence = request.sequence()?;
    sequence.sampler(r#"{"temperature":0}"#)?;
    let mut left = request.max_tokens;
    while left > 0 {
        let wish = Wish::new(left.min(DRAFT + 1)).draft(guess(&sequence.tokens()?));
        let answer = sequence.generate(&wish)?;
        if answer.error.is_some() {
            break;
        }
        say(&answer.text()?)?;
        left -= answer.tokens.len();
        if answer.reason != Reason::Length {
            break;
        }
    }
    Ok(())
}
