//! Running sequences on.

use crate::json::Json;
use crate::sequence::{Model, Sequence};
use crate::{check, decode, host, Error, Result, TOO_SMALL};
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

/// Its text goes to the client as it comes.
pub const STREAM: u32 = 1;
pub const LOGPROBS: u32 = 2;
/// Ends of text end nothing.
pub const IGNORE_ENDS: u32 = 4;
/// The end token stays in the sequence.
pub const KEEP_END: u32 = 8;

/// How a sequence is run on.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    pub max_tokens: usize,
    pub min_tokens: usize,
    pub flags: u32,
    /// Alternatives of each token.
    pub top_k: usize,
    pub stop_tokens: Vec<u32>,
    pub stops: Vec<String>,
    /// What the answer perhaps begins with.
    pub draft: Vec<u32>,
    /// Tokens whose log-probability is wanted at each place.
    pub scored: Vec<u32>,
}

impl Wish {
    pub fn new(max_tokens: usize) -> Wish {
        Wish { max_tokens, ..Wish::default() }
    }

    pub fn flags(mut self, flags: u32) -> Wish {
        self.flags = flags;
        self
    }

    pub fn stop(mut self, text: &str) -> Wish {
        self.stops.push(text.to_string());
        self
    }

    pub fn draft(mut self, tokens: &[u32]) -> Wish {
        self.draft = tokens.to_vec();
        self
    }

    /// One token, which may be an end of text, with its alternatives: for whoever chooses tokens itself.
    pub fn one(top_k: usize) -> Wish {
        Wish { top_k, ..Wish::new(1).flags(LOGPROBS | IGNORE_ENDS) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    EndOfText,
    Length,
    StopText,
    Cancelled,
    Failed,
}

/// What became of one sequence.
#[derive(Clone, Debug)]
pub struct Answer {
    pub model: Model,
    pub reason: Reason,
    /// Why it failed.
    pub error: Option<Error>,
    pub tokens: Vec<u32>,
    /// Of each token; empty unless asked for.
    pub logprobs: Vec<f32>,
    /// Alternatives of each token, the likeliest first.
    pub top: Vec<Vec<(u32, f32)>>,
    /// Of each token, for each that was to be scored.
    pub scores: Vec<Vec<f32>>,
}

impl Answer {
    pub fn text(&self) -> Result<String> {
        decode(self.model, &self.tokens)
    }

    /// Log-probability of all of it.
    pub fn score(&self) -> f64 {
        self.logprobs.iter().map(|&each| each as f64).sum()
    }
}

/// What runs. It has to be waited for, or cancelled.
#[derive(Debug)]
pub struct Ticket {
    handle: u32,
    models: Vec<Model>,
    with_logprobs: Vec<bool>,
}

const REQUEST_WORDS: usize = 16;

/// Runs sequences on, all at once: one wish for all, or one for each.
pub fn submit(sequences: &[&Sequence], wishes: &[&Wish]) -> Result<Ticket> {
    let each: Vec<&Wish> = (0..sequences.len()).map(|at| wishes[at.min(wishes.len() - 1)]).collect();
    let stops: Vec<String> = each.iter().map(|wish| stops_of(wish)).collect();
    let mut requests = vec![0_u32; REQUEST_WORDS * sequences.len()];
    for (at, request) in requests.chunks_mut(REQUEST_WORDS).enumerate() {
        let wish = each[at];
        request[0] = sequences[at].handle;
        request[1] = wish.max_tokens as u32;
        request[2] = wish.flags;
        request[3] = wish.top_k as u32;
        request[4..6].copy_from_slice(&place(&wish.stop_tokens));
        request[6..8].copy_from_slice(&place(stops[at].as_bytes()));
        request[8..10].copy_from_slice(&place(&wish.draft));
        request[10..12].copy_from_slice(&place(&wish.scored));
        request[12] = wish.min_tokens as u32;
    }
    let handle = check(unsafe { host::submit(requests.as_ptr(), sequences.len()) })?;
    let models = sequences.iter().map(|each| each.model).collect();
    let with_logprobs = each.iter().map(|wish| wish.has_logprobs()).collect();
    Ok(Ticket { handle, models, with_logprobs })
}

fn place<T>(items: &[T]) -> [u32; 2] {
    if items.is_empty() {
        return [0, 0];
    }
    [items.as_ptr() as u32, items.len() as u32]
}

fn stops_of(wish: &Wish) -> String {
    if wish.stops.is_empty() {
        return String::new();
    }
    Json::Array(wish.stops.iter().map(|each| Json::from(each.as_str())).collect()).to_string()
}

impl Wish {
    fn has_logprobs(&self) -> bool {
        self.flags & LOGPROBS != 0 || self.top_k > 0 || !self.scored.is_empty()
    }
}

impl Ticket {
    /// An answer for each sequence.
    pub fn wait(self) -> Result<Vec<Answer>> {
        let bytes = records(&[self.handle], false)?;
        Ok(Words(&bytes).answers(&self))
    }

    pub fn cancel(self) {
        self.stop();
    }

    /// It is complete soon; what came until then stays.
    pub fn stop(&self) {
        unsafe { host::cancel(self.handle) };
    }
}

/// Waits until one of them is complete. Those that are leave the list; their places in it come with their answers.
pub fn wait_any(tickets: &mut [Option<Ticket>]) -> Result<Vec<(usize, Vec<Answer>)>> {
    let handles: Vec<u32> = tickets.iter().flatten().map(|ticket| ticket.handle).collect();
    let bytes = records(&handles, true)?;
    let mut words = Words(&bytes);
    let mut complete = Vec::new();
    while let Some(handle) = words.first() {
        let of = |ticket: &Option<Ticket>| ticket.as_ref().map_or(false, |ticket| ticket.handle == handle);
        let at = tickets.iter().position(of).ok_or(Error::FAILED)?;
        let answers = tickets[at].take().map_or(Vec::new(), |ticket| words.answers(&ticket));
        complete.push((at, answers));
    }
    Ok(complete)
}

/// What `wait` writes.
fn records(handles: &[u32], any: bool) -> Result<Vec<u8>> {
    let mut bytes = vec![0_u8; 16_384];
    let wait = |out: *mut u8, max| unsafe { host::wait(handles.as_ptr(), handles.len(), any as u32, out, max) };
    let mut size = wait(bytes.as_mut_ptr(), bytes.len());
    // More may be complete by the next look.
    while size == TOO_SMALL {
        bytes.resize(check(wait(core::ptr::null_mut(), 0))? as usize, 0);
        size = wait(bytes.as_mut_ptr(), bytes.len());
    }
    bytes.truncate(check(size)? as usize);
    Ok(bytes)
}

struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn first(&self) -> Option<u32> {
        let bytes = self.0.get(..4)?;
        Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn answers(&mut self, ticket: &Ticket) -> Vec<Answer> {
        let with = ticket.models.iter().zip(&ticket.with_logprobs);
        with.map(|(&model, &logprobs)| self.answer(model, logprobs)).collect()
    }

    fn next(&mut self) -> u32 {
        let word = self.first().unwrap_or(0);
        self.0 = self.0.get(4..).unwrap_or(&[]);
        word
    }

    fn float(&mut self) -> f32 {
        f32::from_bits(self.next())
    }

    fn answer(&mut self, model: Model, has_logprobs: bool) -> Answer {
        let head: Vec<u32> = (0..8).map(|_| self.next()).collect();
        let (n, top_k, scored) = (head[5], head[6], head[7]);
        let tokens = (0..n).map(|_| self.next()).collect();
        let with = if has_logprobs { n } else { 0 };
        Answer {
            model,
            reason: match head[3] {
                0 => Reason::EndOfText,
                1 => Reason::Length,
                2 => Reason::StopText,
                3 => Reason::Cancelled,
                _ => Reason::Failed,
            },
            error: Some(Error(head[4] as i32)).filter(|error| error.0 != 0),
            tokens,
            logprobs: (0..with).map(|_| self.float()).collect(),
            top: (0..with).map(|_| (0..top_k).map(|_| (self.next(), self.float())).collect()).collect(),
            scores: (0..with).map(|_| (0..scored).map(|_| self.float()).collect()).collect(),
        }
    }
}

impl Sequence {
    /// Runs it on and waits.
    pub fn generate(&self, wish: &Wish) -> Result<Answer> {
        let mut answers = submit(&[self], &[wish])?.wait()?;
        Ok(answers.remove(0))
    }
}
