//! A watermark (arXiv:2301.10226): each token divides the vocabulary, and the next one is drawn with a preference for
//! one half. A chat is answered with it; a call {"text": "..."} with how sure one may be that a text has it.
#![no_std]
use realm::alloc::{format, vec::Vec};
use realm::math::{exp, sqrt};
use realm::{decode, random, say, Answer, Request, Result, Sequence, Wish};

realm::program!(run);

const KEY: u32 = 0x5eed_1234;
const DELTA: f64 = 4.0;

fn is_green(before: u32, token: u32) -> bool {
    let mixed = before.wrapping_mul(0x9e37_79b1) ^ token.wrapping_mul(0x85eb_ca77) ^ KEY;
    (mixed.wrapping_mul(0x2c1b_3c6d) >> 16) & 1 == 1
}

/// One of the likeliest tokens, the green ones first.
fn draw(before: u32, answer: &Answer) -> Result<u32> {
    let weight = |token, logprob: f32| exp(logprob as f64 + if is_green(before, token) { DELTA } else { 0.0 });
    let top = answer.top[0].iter();
    let weighted: Vec<(u32, f64)> = top.map(|&(token, logprob)| (token, weight(token, logprob))).collect();
    let mut left = random()? * weighted.iter().map(|each| each.1).sum::<f64>();
    let drawn = weighted.iter().find(|(_, weight)| {
        left -= weight;
        left <= 0.0
    });
    Ok(drawn.unwrap_or(&weighted[0]).0)
}

fn run(request: &Request) -> Result<()> {
    if request.kind() == "call" {
        return detect(request);
    }
    let sequence = request.sequence()?;
    let ends = request.model.ends()?;
    let mut before = sequence.tokens()?.last().copied().unwrap_or(0);
    for _ in 0..request.max_tokens {
        before = draw(before, &sequence.generate(&Wish::one(20))?)?;
        if ends.contains(&before) {
            break;
        }
        sequence.replace_last(before)?;
        say(&decode(request.model, &[before])?)?;
    }
    Ok(())
}

/// Standard deviations above what chance gives: 4 is one text of 30,000.
fn detect(request: &Request) -> Result<()> {
    let sequence = Sequence::new(request.model)?;
    sequence.text(request.input().text("text"))?;
    let tokens = sequence.tokens()?;
    let green = tokens.windows(2).filter(|pair| is_green(pair[0], pair[1])).count() as f64;
    let half = (tokens.len().max(2) - 1) as f64 / 2.0;
    say(&format!(r#"{{"z":{}}}"#, (green - half) / sqrt(half / 2.0)))
}
