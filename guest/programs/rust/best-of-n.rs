//! Best of n: several answers at once, of which the one that the model finds most likely, token for token, is given.
#![no_std]
use realm::{say, submit, Request, Result, Wish, LOGPROBS};

realm::program!(run);

const N: usize = 8;

fn run(request: &Request) -> Result<()> {
    let sequences = request.sequence()?.fork(N)?;
    for sequence in &sequences {
        sequence.sampler(r#"{"temperature":0.9}"#)?;
    }
    let wish = Wish::new(request.max_tokens).flags(LOGPROBS);
    // The prompt is computed, and paid for, once.
    let answers = submit(&sequences.iter().collect::<realm::alloc::vec::Vec<_>>(), &[&wish])?.wait()?;
    let whole = answers.iter().filter(|answer| answer.error.is_none() && !answer.tokens.is_empty());
    let scored = whole.map(|answer| (answer.score() / answer.tokens.len() as f64, answer));
    match scored.reduce(|best, next| if next.0 > best.0 { next } else { best }) {
        Some((_, answer)) => say(&answer.text()?),
        None => Ok(()),
    }
}
