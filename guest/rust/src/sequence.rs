//! Sequences of tokens and what they must be.

use crate::{check, host, Result};
use alloc::vec;
use alloc::vec::Vec;

/// A model that the program may use. The request's own is [`crate::Request::model`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Model(pub u32);

/// Tokens of a model that go on. Dropping it frees it, and cancels what it waits for.
#[derive(Debug)]
pub struct Sequence {
    pub(crate) handle: u32,
    pub model: Model,
}

impl Drop for Sequence {
    fn drop(&mut self) {
        unsafe { host::seq_free(self.handle) };
    }
}

impl Sequence {
    pub fn new(model: Model) -> Result<Sequence> {
        let handle = check(unsafe { host::seq_new(model.0) })?;
        Ok(Sequence { handle, model })
    }

    /// What was saved as `key`; None if there is nothing.
    pub fn open(model: Model, key: &str) -> Option<Sequence> {
        let handle = check(unsafe { host::seq_open(model.0, key.as_ptr(), key.len()) }).ok()?;
        Some(Sequence { handle, model })
    }

    pub fn save(&self, key: &str, seconds: u32) -> Result<()> {
        check(unsafe { host::seq_save(self.handle, key.as_ptr(), key.len(), seconds) })?;
        Ok(())
    }

    /// `{"messages": [...], "tools": [...]}` through the model's chat template.
    pub fn chat(&self, json: &str) -> Result<()> {
        check(unsafe { host::seq_chat(self.handle, json.as_ptr(), json.len()) })?;
        Ok(())
    }

    pub fn text(&self, text: &str) -> Result<()> {
        self.text_with(text, 0)
    }

    /// Flag 1: control tokens are read as such; 2: with the beginning of a text.
    pub fn text_with(&self, text: &str, flags: u32) -> Result<()> {
        check(unsafe { host::seq_text(self.handle, text.as_ptr(), text.len(), flags) })?;
        Ok(())
    }

    pub fn push(&self, tokens: &[u32]) -> Result<()> {
        check(unsafe { host::seq_push(self.handle, tokens.as_ptr(), tokens.len()) })?;
        Ok(())
    }

    pub fn fork(&self, count: usize) -> Result<Vec<Sequence>> {
        let mut handles = vec![0; count];
        check(unsafe { host::seq_fork(self.handle, handles.as_mut_ptr(), count) })?;
        Ok(handles.into_iter().map(|handle| Sequence { handle, model: self.model }).collect())
    }

    pub fn truncate(&self, length: usize) -> Result<()> {
        check(unsafe { host::seq_truncate(self.handle, length) })?;
        Ok(())
    }

    /// Puts another token in the last one's place.
    pub fn replace_last(&self, token: u32) -> Result<()> {
        self.truncate(self.len()? - 1)?;
        self.push(&[token])
    }

    pub fn len(&self) -> Result<usize> {
        Ok(check(unsafe { host::seq_length(self.handle) })? as usize)
    }

    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    pub fn tokens(&self) -> Result<Vec<u32>> {
        let mut tokens = vec![0; self.len()?];
        check(unsafe { host::seq_tokens(self.handle, 0, tokens.as_mut_ptr(), tokens.len()) })?;
        Ok(tokens)
    }

    /// JSON: temperature, top_p, top_k, min_p, seed ...
    pub fn sampler(&self, json: &str) -> Result<()> {
        check(unsafe { host::seq_sampler(self.handle, json.as_ptr(), json.len()) })?;
        Ok(())
    }

    pub fn adapter(&self, name: &str) -> Result<()> {
        check(unsafe { host::seq_adapter(self.handle, name.as_ptr(), name.len()) })?;
        Ok(())
    }

    /// Added to the logits of tokens: of the next one only, or of all that follow.
    pub fn bias(&self, pairs: &[(u32, f32)], sticky: bool) -> Result<()> {
        let pairs: Vec<[u32; 2]> = pairs.iter().map(|&(token, bias)| [token, bias.to_bits()]).collect();
        check(unsafe { host::seq_bias(self.handle, pairs.as_ptr(), pairs.len(), sticky as u32) })?;
        Ok(())
    }

    /// What the next token may be.
    pub fn mask(&self, mask: &Mask) -> Result<()> {
        check(unsafe { host::seq_mask(self.handle, mask.0.as_ptr(), mask.0.len()) })?;
        Ok(())
    }

    /// Holds for what is generated from now on; None lifts it.
    pub fn constrain(&self, constraint: Option<&Constraint>) -> Result<()> {
        check(unsafe { host::seq_constrain(self.handle, constraint.map_or(0, |each| each.0)) })?;
        Ok(())
    }

    /// Of the next token, for each of the vocabulary.
    pub fn logits(&self) -> Result<Vec<f32>> {
        let size = check(unsafe { host::logits(self.handle, core::ptr::null_mut(), 0) })? as usize;
        let mut logits = vec![0.0; size];
        check(unsafe { host::logits(self.handle, logits.as_mut_ptr(), size) })?;
        Ok(logits)
    }
}

/// Tokens that may follow; it serves any number of sequences.
#[derive(Clone, Debug)]
pub struct Mask(Vec<u32>);

impl Mask {
    /// Nothing may follow yet.
    pub fn new(vocabulary: usize) -> Mask {
        Mask(vec![0; (vocabulary + 31) / 32])
    }

    pub fn allow(&mut self, token: u32) {
        self.0[token as usize / 32] |= 1 << (token % 32);
    }
}

/// What an answer must be.
#[derive(Debug)]
pub struct Constraint(u32);

impl Drop for Constraint {
    fn drop(&mut self) {
        unsafe { host::constraint_free(self.0) };
    }
}

impl Constraint {
    fn new(model: Model, kind: u32, source: &str) -> Result<Constraint> {
        let handle = unsafe { host::constraint_new(model.0, kind, source.as_ptr(), source.len()) };
        Ok(Constraint(check(handle)?))
    }

    pub fn json_schema(model: Model, schema: &str) -> Result<Constraint> {
        Constraint::new(model, 1, schema)
    }

    pub fn regex(model: Model, pattern: &str) -> Result<Constraint> {
        Constraint::new(model, 2, pattern)
    }

    pub fn gbnf(model: Model, grammar: &str) -> Result<Constraint> {
        Constraint::new(model, 3, grammar)
    }

    pub fn lark(model: Model, grammar: &str) -> Result<Constraint> {
        Constraint::new(model, 4, grammar)
    }

    /// A JSON array of texts.
    pub fn choice(model: Model, choices: &str) -> Result<Constraint> {
        Constraint::new(model, 5, choices)
    }

    /// Calls of these tools (`{"tools": [...], "choice": "auto" | "required"}`), or text.
    pub fn tools(model: Model, tools: &str) -> Result<Constraint> {
        Constraint::new(model, 6, tools)
    }
}
