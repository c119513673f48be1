//! Answers as the model does, and sends each piece of the answer as it comes.
#![no_std]
use realm::{Request, Result, Wish, STREAM};

realm::program!(run);

fn run(request: &Request) -> Result<()> {
    request.sequence()?.generate(&Wish::new(request.max_tokens).flags(STREAM))?;
    Ok(())
}
