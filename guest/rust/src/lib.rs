//! The SDK of Realm's ABI v2 for Rust: a program owns sequences of tokens, forks them, and says what they must be.
//!
//! ```ignore
//! #![no_std]
//! use realm::{Request, Result, Wish, STREAM};
//!
//! realm::program!(run);
//!
//! fn run(request: &Request) -> Result<()> {
//!     request.sequence()?.generate(&Wish::new(request.max_tokens).flags(STREAM))?;
//!     Ok(())
//! }
//! ```

#![no_std]

pub extern crate alloc;

mod heap;
pub mod host;
pub mod json;
pub mod math;
mod request;
mod sequence;
mod submit;

pub use json::{quote, Json};
pub use request::Request;
pub use sequence::{Constraint, Mask, Model, Sequence};
pub use submit::{submit, wait_any, Answer, Reason, Ticket, Wish, IGNORE_ENDS, KEEP_END, LOGPROBS, STREAM};

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// What the host refused: a code of docs/program-abi.md.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Error(pub i32);

pub type Result<T> = core::result::Result<T, Error>;

pub(crate) const TOO_SMALL: i32 = -3;
const GENERATION_FAILED: i32 = -6;

impl Error {
    /// For what a program cannot go on with.
    pub const FAILED: Error = Error(GENERATION_FAILED);
}

pub(crate) fn check(code: i32) -> Result<u32> {
    if code < 0 {
        Err(Error(code))
    } else {
        Ok(code as u32)
    }
}

/// The text of this run's last refusal.
pub fn last_error() -> String {
    text_from(|out, max| unsafe { host::last_error(out, max) }).unwrap_or_default()
}

/// A text of the host's, however long it is.
fn text_from(mut call: impl FnMut(*mut u8, usize) -> i32) -> Result<String> {
    let mut bytes = vec![0_u8; 4096];
    let mut size = call(bytes.as_mut_ptr(), bytes.len());
    if size == TOO_SMALL {
        bytes.resize(check(call(core::ptr::null_mut(), 0))? as usize, 0);
        size = call(bytes.as_mut_ptr(), bytes.len());
    }
    bytes.truncate(check(size)? as usize);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl Model {
    pub fn find(name: &str) -> Result<Model> {
        Ok(Model(check(unsafe { host::model_find(name.as_ptr(), name.len()) })?))
    }

    /// `id`, `context`, `vocab_size`, `ends` ...
    pub fn info(self) -> Result<Json> {
        let text = text_from(|out, max| unsafe { host::model_info(self.0, out, max) })?;
        Json::parse(&text).ok_or(Error::FAILED)
    }

    /// Tokens that end a text.
    pub fn ends(self) -> Result<Vec<u32>> {
        let info = self.info()?;
        let ends = info.get("ends").map_or(&[][..], Json::items);
        Ok(ends.iter().filter_map(Json::number).map(|id| id as u32).collect())
    }

    pub fn vocabulary(self) -> Result<usize> {
        Ok(self.info()?.get("vocab_size").and_then(Json::number).unwrap_or(0.0) as usize)
    }

    pub fn embed(self, text: &str) -> Result<Vec<f32>> {
        let embed = |out, max| unsafe { host::embed(self.0, text.as_ptr(), text.len(), out, max) };
        let mut values = vec![0.0; check(embed(core::ptr::null_mut(), 0))? as usize];
        check(embed(values.as_mut_ptr(), values.len()))?;
        Ok(values)
    }
}

/// The text of tokens.
pub fn decode(model: Model, tokens: &[u32]) -> Result<String> {
    text_from(|out, max| unsafe { host::decode(model.0, tokens.as_ptr(), tokens.len(), out, max) })
}

/// Reads an answer in the model's output format: `{"content", "reasoning", "tool_calls"}`.
pub fn parse_answer(model: Model, tools: &str, tokens: &[u32]) -> Result<Json> {
    let parser = check(unsafe { host::parser_new(model.0, tools.as_ptr(), tools.len()) })?;
    // An answer's JSON is rarely longer than all of its tokens written out.
    let mut bytes = vec![0_u8; 4096 + 64 * tokens.len()];
    let feed = unsafe { host::parser_feed(parser, tokens.as_ptr(), tokens.len(), bytes.as_mut_ptr(), bytes.len()) };
    unsafe { host::parser_free(parser) };
    bytes.truncate(check(feed)? as usize);
    Json::parse(&String::from_utf8_lossy(&bytes)).ok_or(Error::FAILED)
}

/// Calls one of the operator's tools with JSON.
pub fn tool(name: &str, input: &str) -> Result<String> {
    text_from(|out, max| unsafe { host::tool(name.as_ptr(), name.len(), input.as_ptr(), input.len(), out, max) })
}

/// Adds to the answer.
pub fn say(text: &str) -> Result<()> {
    emit(0, text)
}

/// Adds to the model's thoughts.
pub fn think(text: &str) -> Result<()> {
    emit(1, text)
}

/// `{"name", "arguments"}`: for the client to call.
pub fn call(json: &str) -> Result<()> {
    emit(2, json)
}

/// Tells the client something, as JSON.
pub fn event(json: &str) -> Result<()> {
    emit(3, json)
}

fn emit(kind: u32, text: &str) -> Result<()> {
    check(unsafe { host::emit(kind, text.as_ptr(), text.len()) })?;
    Ok(())
}

/// What the run may still do.
pub fn budget() -> Result<Json> {
    let text = text_from(|out, max| unsafe { host::budget(out, max) })?;
    Json::parse(&text).ok_or(Error::FAILED)
}

/// From 0 to 1; the same for the same seed of a request.
pub fn random() -> Result<f64> {
    let mut bytes = [0; 4];
    check(unsafe { host::random(bytes.as_mut_ptr(), bytes.len()) })?;
    Ok(u32::from_le_bytes(bytes) as f64 / 4_294_967_296.0)
}

/// 0 debug, 1 information, 2 a warning, 3 an error.
pub fn log(level: u32, text: &str) {
    unsafe { host::log(level, text.as_ptr(), text.len()) };
}

/// Makes `fn run(request: &Request) -> Result<()>` the program.
#[macro_export]
macro_rules! program {
    ($run:path) => {
        #[export_name = "run"]
        pub extern "C" fn realm_program(input: *const u8, len: usize) -> usize {
            $crate::start(input, len, $run)
        }
    };
}

/// What [`program`] calls.
#[doc(hidden)]
pub fn start(input: *const u8, len: usize, run: fn(&Request) -> Result<()>) -> usize {
    // The host has written it there, and it stays for all of the run.
    let bytes = unsafe { core::slice::from_raw_parts(input, len) };
    let request = Request::read(&String::from_utf8_lossy(bytes));
    if let Err(error) = request.and_then(|request| run(&request)) {
        panic!("refused with {}: {}", error.0, last_error());
    }
    0
}

/// Room for what the host writes.
#[no_mangle]
pub extern "C" fn realm_alloc(len: usize) -> *mut u8 {
    vec![0_u8; len.max(1)].leak().as_mut_ptr()
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    log(3, &format!("{info}"));
    core::arch::wasm32::unreachable()
}
