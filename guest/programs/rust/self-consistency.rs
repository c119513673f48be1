//! Self-consistency (arXiv:2203.11171): several ways of thinking, and the answer that most of them come to.
#![no_std]
use realm::alloc::{string::String, string::ToString, vec::Vec};
use realm::{say, submit, Request, Result, Wish};

realm::program!(run);

const N: usize = 9;

/// What an answer comes to: its last number, or else its last line.
fn conclusion(text: &str) -> String {
    let rest = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    if rest.is_empty() {
        return text.trim().lines().last().unwrap_or("").trim().to_string();
    }
    let start = rest.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    rest[start..].to_string()
}

fn run(request: &Request) -> Result<()> {
    let sequences = request.sequence()?.fork(N)?;
    for sequence in &sequences {
        sequence.sampler(r#"{"temperature":0.8}"#)?;
    }
    let answers = submit(&sequences.iter().collect::<Vec<_>>(), &[&Wish::new(request.max_tokens)])?.wait()?;
    let mut votes: Vec<(String, usize)> = Vec::new();
    for answer in answers.iter().filter(|answer| !answer.tokens.is_empty()) {
        let answer = conclusion(&answer.text()?);
        match votes.iter_mut().find(|(other, _)| *other == answer) {
            Some((_, count)) => *count += 1,
            None => votes.push((answer, 1)),
        }
    }
    // Of equals the one that was first there.
    let best = votes.iter().rev().max_by_key(|(_, count)| *count);
    say(best.map_or("", |(answer, _)| answer))
}
