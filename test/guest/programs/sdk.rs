//! What the classic programs do not use of the SDK: says what came of it, a line each. sdk.ts says the same.
#![no_std]
use realm::alloc::{format, string::String};
use realm::{budget, say, submit, wait_any, Constraint, Mask, Reason, Request, Result, Sequence, Wish, LOGPROBS};

realm::program!(run);

fn line(text: &str) -> Result<()> {
    say(&format!("{text}\n"))
}

fn likeliest(values: &[f32]) -> usize {
    (0..values.len()).fold(0, |best, at| if values[at] > values[best] { at } else { best })
}

/// One mask for two sequences, of which one runs on for long: the other is complete first.
fn race(sequence: &Sequence) -> Result<()> {
    let mut mask = Mask::new(sequence.model.vocabulary()?);
    mask.allow('c' as u32);
    let forks = sequence.fork(2)?;
    forks[0].mask(&mask)?;
    forks[1].mask(&mask)?;
    let run = |at: usize, tokens| submit(&[&forks[at]], &[&Wish::new(tokens)]);
    let mut tickets = [Some(run(0, 100_000)?), Some(run(1, 2)?)];
    let first = wait_any(&mut tickets)?;
    let (at, answers) = &first[0];
    line(&format!("{} {} {}", first.len(), *at == 1 && tickets[1].is_none(), answers[0].text()?))?;
    tickets[0].as_ref().map(|ticket| ticket.stop());
    let stopped = &wait_any(&mut tickets)?[0].1[0];
    let text: String = stopped.text()?.chars().take(2).collect();
    line(&format!("{} {text}", if stopped.reason == Reason::Cancelled { 3 } else { 0 }))
}

fn constrained(sequence: &Sequence) -> Result<()> {
    sequence.constrain(Some(&Constraint::regex(sequence.model, "[de]*")?))?;
    line(&format!("{}", sequence.generate(&Wish::new(2))?.text()?.len()))?;
    sequence.constrain(None)?;
    line(&sequence.generate(&Wish::new(1))?.text()?)
}

fn scored(sequence: &Sequence) -> Result<()> {
    let mut wish = Wish { top_k: 2, ..Wish::new(5).flags(LOGPROBS) };
    wish.scored = ['b' as u32, 'z' as u32].to_vec();
    wish.stop_tokens = ['b' as u32].to_vec();
    let stopped = sequence.generate(&wish)?;
    wish.stop_tokens.clear();
    let answer = sequence.generate(&wish)?;
    let [scores, top] = [answer.scores.concat(), answer.top.concat().iter().map(|each| each.1).collect()];
    line(&format!("{} {} {}", stopped.tokens.len(), scores.len(), top.len()))?;
    let same = scores[0] == answer.logprobs[0] && top[1] == scores[0];
    line(&format!("{same} {}", scores[1] < scores[0]))
}

fn run(request: &Request) -> Result<()> {
    let sequence = request.sequence()?;
    sequence.sampler(r#"{"temperature":0}"#)?;
    sequence.adapter("legal")?;
    line(&format!("{}", likeliest(&sequence.logits()?) as u8 as char))?;
    line(&format!("{}", likeliest(&request.model.embed("babbles")?)))?;
    line(&format!("{}", budget()?.get("tokens").map_or(String::new(), |tokens| format!("{tokens}"))))?;
    sequence.bias(&[('a' as u32, -50.0)], true)?;
    race(&sequence)?;
    constrained(&sequence)?;
    scored(&sequence)?;
    sequence.bias(&[('f' as u32, 90.0)], false)?;
    line(&sequence.generate(&Wish::new(2))?.text()?)
}
