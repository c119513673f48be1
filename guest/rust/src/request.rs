//! What the program is asked.

use crate::json::Json;
use crate::sequence::{Model, Sequence};
use crate::{Error, Result};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

pub struct Request {
    json: Json,
    pub model: Model,
    /// Most tokens that the client wants.
    pub max_tokens: usize,
}

impl Request {
    pub(crate) fn read(text: &str) -> Result<Request> {
        let json = Json::parse(text).ok_or(Error::FAILED)?;
        let number = |value: Option<&Json>| value.and_then(Json::number).unwrap_or(0.0);
        let model = Model(number(json.get("model")) as u32);
        let max_tokens = number(json.get("options").and_then(|options| options.get("max_tokens"))) as usize;
        Ok(Request { model, max_tokens, json })
    }

    /// `chat`, `completion` or `call`.
    pub fn kind(&self) -> &str {
        self.json.text("kind")
    }

    pub fn field(&self, name: &str) -> Option<&Json> {
        self.json.get(name)
    }

    /// Of a call.
    pub fn input(&self) -> &Json {
        self.field("input").unwrap_or(&Json::Null)
    }

    /// The tools of a chat, as JSON.
    pub fn tools(&self) -> String {
        self.field("tools").map_or_else(|| "[]".to_string(), Json::to_string)
    }

    pub fn messages(&self) -> Vec<Json> {
        self.field("messages").map_or(&[][..], Json::items).to_vec()
    }

    /// A sequence that the answer goes on from.
    pub fn sequence(&self) -> Result<Sequence> {
        let sequence = Sequence::new(self.model)?;
        match self.field("prompt") {
            Some(prompt) => sequence.text_with(prompt.str(), 3)?,
            None => sequence.chat(&self.document())?,
        }
        Ok(sequence)
    }

    /// The chat's document: all fields that are the client's.
    pub fn document(&self) -> String {
        let own = |name: &str| matches!(name, "kind" | "model" | "options");
        match &self.json {
            Json::Object(fields) => Json::Object(fields.iter().filter(|(name, _)| !own(name)).cloned().collect()),
            _ => Json::Null,
        }
        .to_string()
    }
}
