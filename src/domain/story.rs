//! What one termination of one person is called: every Revocation of it begins with the same words.

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// `<person>-<eight hex digits of the instant the termination was first seen>`: deterministic, so that two leaders, or
/// one that was restarted, call it the same; another termination of the same person has another.
#[must_use]
pub fn prefix(person: &str, seen: Timestamp) -> String {
    let short: String = HEXLOWER.encode(&Sha256::digest(seen.to_string().as_bytes())).chars().take(8).collect();
    format!("{person}-{short}")
}
