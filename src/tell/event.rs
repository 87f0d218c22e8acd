//! A CloudEvent (CloudEvents 1.0, structured JSON), and the id by which it is known again. Pure.

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What a CloudEvent in JSON is sent as.
pub const CONTENT: &str = "application/cloudevents+json; charset=utf-8";

/// Something that happened, as it is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The same each time it is sent.
    pub id: String,
    /// What, such as `revocation.revoked`.
    pub kind: String,
    /// The Person's object.
    pub subject: String,
    /// When, where that is known.
    pub time: Option<Timestamp>,
    /// The rest: HR ids and names of Rollcall's own objects, and words of ours. No name and no address.
    pub data: Value,
}

impl Event {
    /// As it is sent.
    #[must_use]
    pub fn json(&self, source: &str) -> Value {
        let mut event = json!({
            "specversion": "1.0",
            "id": self.id,
            "source": source,
            "type": format!("dev.rollcall.{}.v1", self.kind),
            "subject": self.subject,
            "datacontenttype": "application/json",
            "data": self.data,
        });
        if let (Some(time), Some(event)) = (self.time, event.as_object_mut()) {
            event.insert("time".to_owned(), json!(time.to_string()));
        }
        event
    }
}

/// An id that is the same for the same thing, however often it is sent, so that a receiver may drop what it has.
#[must_use]
pub fn id(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    let digest = digest.finalize();
    BASE64URL_NOPAD.encode(digest.get(..18).unwrap_or_default())
}
