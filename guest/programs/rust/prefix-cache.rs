//! An explicit prefix cache: a call names a long text once and asks about it often; only the first one computes it.
#![no_std]
use realm::alloc::{format, string::String};
use realm::{event, Request, Result, Sequence, Wish, STREAM};

realm::program!(run);

const HOUR: u32 = 3600;

/// FNV-1a of a text, as a key.
fn key_of(text: &str) -> String {
    let step = |hash: u64, byte: u8| (hash ^ byte as u64).wrapping_mul(0x0100_0000_01b3);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    format!("document-{hash:x}")
}

/// The sequence of the document, computed and saved.
fn compute(request: &Request, document: &str, key: &str) -> Result<Sequence> {
    let sequence = Sequence::new(request.model)?;
    sequence.text_with(document, 2)?;
    // No token: the prompt is computed, and that is all.
    sequence.generate(&Wish::new(0))?;
    sequence.save(key, HOUR)?;
    Ok(sequence)
}

/// The input: {"document": "...", "question": "..."}.
fn run(request: &Request) -> Result<()> {
    let document = request.input().text("document");
    let key = key_of(document);
    let kept = Sequence::open(request.model, &key);
    event(if kept.is_some() { r#"{"prefix":"kept"}"# } else { r#"{"prefix":"computed"}"# })?;
    let sequence = match kept {
        Some(sequence) => sequence,
        None => compute(request, document, &key)?,
    };
    sequence.text(&format!("\nQuestion: {}\nAnswer: ", request.input().text("question")))?;
    sequence.generate(&Wish::new(request.max_tokens).flags(STREAM).stop("\n"))?;
    Ok(())
}
