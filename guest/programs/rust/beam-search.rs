//! Beam search: the likeliest whole answer that it finds. The greedy one always stays in, so none is worse than that.
#![no_std]
use realm::{alloc::vec::Vec, decode, say, submit, Answer, Request, Result, Sequence, Wish};

realm::program!(run);

const WIDTH: usize = 4;

#[derive(Clone)]
struct Beam {
    tokens: Vec<u32>,
    score: f64,
    greedy: bool,
}

fn better(best: Option<Beam>, beam: Beam) -> Option<Beam> {
    best.filter(|best| best.score >= beam.score).or(Some(beam))
}
/// What the beams may become, the likeliest first; those that end are compared with the best.
fn extended(beams: &[Beam], answers: &[Answer], ends: &[u32], best: &mut Option<Beam>) -> Vec<Beam> {
    let mut next = Vec::new();
    for (beam, answer) in beams.iter().zip(answers) {
        for (k, &(token, logprob)) in answer.top.first().into_iter().flatten().enumerate() {
            let mut longer = Beam { score: beam.score + logprob as f64, greedy: beam.greedy && k == 0, ..beam.clone() };
            if ends.contains(&token) {
                *best = better(best.take(), longer);
            } else {
                longer.tokens.push(token);
                next.push(longer);
            }
        }
    }
    next.sort_by(|a, b| b.score.total_cmp(&a.score));
    next
}

fn run(request: &Request) -> Result<()> {
    let ends = request.model.ends()?;
    let origin = request.sequence()?;
    let prompt = origin.len()?;
    let sequences = origin.fork(WIDTH)?;
    let mut beams = Vec::from([Beam { tokens: Vec::new(), score: 0.0, greedy: true }]);
    let mut best = None;
    for _ in 0..request.max_tokens {
        let used: Vec<&Sequence> = sequences.iter().take(beams.len()).collect();
        for (sequence, beam) in used.iter().zip(&beams) {
            sequence.truncate(prompt)?;
            sequence.push(&beam.tokens)?;
        }
        let next = extended(&beams, &submit(&used, &[&Wish::one(WIDTH)])?.wait()?, &ends, &mut best);
        let kept = next.into_iter().enumerate().filter(|(i, beam)| *i < WIDTH - 1 || beam.greedy);
        beams = kept.map(|(_, beam)| beam).collect();
        // A score only falls: what has ended is better than all that can still come.
        if beams.is_empty() || best.as_ref().map_or(false, |best| best.score >= beams[0].score) {
            break;
        }
    }
    let tokens = beams.into_iter().fold(best, better).map_or(Vec::new(), |beam| beam.tokens);
    say(&decode(request.model, &tokens)?)
}
