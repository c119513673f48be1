//! Tree of thought (arXiv:2305.10601): at each depth several thoughts, which the model itself judges; the best go on.
#![no_std]
use realm::alloc::{format, vec::Vec};
use realm::{event, math::exp, submit, Constraint, Request, Result, Sequence, Wish, LOGPROBS, STREAM};

realm::program!(run);

const BREADTH: usize = 4;
const KEPT: usize = 2;
const DEPTH: usize = 2;

/// How sure the model is that each line of thought is good.
fn judge(thoughts: &[Sequence], verdict: &Constraint) -> Result<Vec<f64>> {
    let mut judges = Vec::new();
    for thought in thoughts {
        let judge = thought.fork(1)?.remove(0);
        judge.text("\nIs this the right way? Answer good or bad: ")?;
        judge.constrain(Some(verdict))?;
        judges.push(judge);
    }
    let answers = submit(&judges.iter().collect::<Vec<_>>(), &[&Wish::new(4).flags(LOGPROBS)])?.wait()?;
    let score = |sure: f64, text: &str| if text.starts_with("good") { 1.0 + sure } else { 1.0 - sure };
    answers.iter().map(|answer| Ok(score(exp(answer.score()), &answer.text()?))).collect()
}

fn run(request: &Request) -> Result<()> {
    let verdict = Constraint::choice(request.model, r#"["good","bad"]"#)?;
    let mut kept = Vec::from([request.sequence()?]);
    for depth in 0..DEPTH {
        let mut thoughts = Vec::new();
        for line in &kept {
            thoughts.extend(line.fork(BREADTH)?);
        }
        for thought in &thoughts {
            thought.sampler(r#"{"temperature":1}"#)?;
        }
        submit(&thoughts.iter().collect::<Vec<_>>(), &[&Wish::new(64).stop("\n")])?.wait()?;
        let mut judged: Vec<(f64, Sequence)> = judge(&thoughts, &verdict)?.into_iter().zip(thoughts).collect();
        judged.sort_by(|a, b| b.0.total_cmp(&a.0));
        judged.truncate(KEPT);
        for (score, _) in &judged {
            event(&format!(r#"{{"depth":{depth},"score":{score}}}"#))?;
        }
        kept = judged.into_iter().map(|(_, thought)| thought).collect();
    }
    kept[0].text("\nAnswer: ")?;
    kept[0].generate(&Wish::new(request.max_tokens).flags(STREAM))?;
    Ok(())
}
