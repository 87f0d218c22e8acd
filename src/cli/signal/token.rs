//! What a security event token says (RFC 8417): that somebody's sessions are revoked (OpenID CAEP 1.0), or their account is disabled
//! (OpenID RISC 1.0). Pure.
//!
//! One event a token, and one token an address, as the interoperability profile asks. An address is told only if it is this leaver's and
//! nobody's else who works here: the plan says so.

use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::HookFile;
use crate::tell::event::id;

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Event {
    /// CAEP: all sessions of the user are revoked
    SessionRevoked,
    /// RISC: the account is disabled
    AccountDisabled,
}

impl Event {
    const fn uri(self) -> &'static str {
        match self {
            Self::SessionRevoked => "https://schemas.openid.net/secevent/caep/event-type/session-revoked",
            Self::AccountDisabled => "https://schemas.openid.net/secevent/risc/event-type/account-disabled",
        }
    }
}

/// How it is said.
pub(crate) struct Terms<'a> {
    /// What.
    pub event: Event,
    /// By whom.
    pub issuer: &'a str,
    /// To whom.
    pub audience: &'a str,
    /// What stands before the address in user names.
    pub prefix: &'a str,
}

/// The claims of each token.
///
/// # Errors
/// In words, why there is nothing to say: nothing was ended, or no address is theirs alone.
pub(crate) fn claims(file: &HookFile, terms: &Terms<'_>, now: Timestamp) -> Result<Vec<Value>, &'static str> {
    if file.operation != "Cut" || file.trigger != "Termination" {
        return Err("nothing is sent: the person has not left");
    }
    if file.phase.as_deref().is_none_or(|phase| !["Held", "Revoked", "Failed"].contains(&phase)) {
        return Err("nothing is sent: the Revocation is at no point at which hooks run");
    }
    let addresses = file.own_usernames.iter().filter_map(|name| name.strip_prefix(terms.prefix));
    let addresses: Vec<&str> = addresses.filter(|address| is_address(address)).collect();
    if addresses.is_empty() {
        return Err(
            "nothing is sent: no address is this person's alone; compare --prefix with spec.identity.usernames",
        );
    }
    Ok(addresses.into_iter().map(|address| one(file, terms, address, now)).collect())
}

fn one(file: &HookFile, terms: &Terms<'_>, address: &str, now: Timestamp) -> Value {
    let subject = json!({"format": "email", "email": address});
    let seconds = now.as_second();
    // Receivers of drafts before CAEP 1.0 look for the subject in the event, and others pass over it (RFC 8417, section 2.2).
    let within = json!({"user": subject});
    let event = match terms.event {
        Event::SessionRevoked => json!({
            "event_timestamp": seconds, "subject": within, "initiating_entity": "policy",
            "reason_admin": {"en": "The person has left the company."},
        }),
        Event::AccountDisabled => json!({"event_timestamp": seconds, "subject": within}),
    };
    json!({
        "iss": terms.issuer,
        "aud": terms.audience,
        "iat": seconds,
        "jti": id(&[&file.uid, &file.when, terms.event.uri(), terms.audience, address]),
        "sub_id": subject,
        "events": {terms.event.uri(): event},
    })
}

/// Whether this may be an address: one `@` with something on either side, and nothing that means anything elsewhere.
fn is_address(text: &str) -> bool {
    let parts =
        text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'));
    parts && text.len() <= 254 && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(change: Value) -> HookFile {
        let mut file = json!({
            "version": 1, "revocation": "p-7-cut", "uid": "u-7", "operation": "Cut", "trigger": "Termination",
            "policy": "everyone", "person": "p-7", "records": ["hq/7"], "usernames": ["oidc:ada@example.com", "oidc:old@example.com"],
            "ownUsernames": ["oidc:ada@example.com"], "hook": "okta", "when": "After", "phase": "Revoked", "attempt": 1,
        });
        crate::api::merge(&mut file, &change);
        serde_json::from_value(file).unwrap()
    }

    const TERMS: Terms<'_> = Terms {
        event: Event::SessionRevoked,
        issuer: "https://rollcall.example.com",
        audience: "https://idp.example.com",
        prefix: "oidc:",
    };

    #[test]
    fn a_token_says_exactly_what_the_standards_ask_for() {
        let now = Timestamp::from_second(1_767_225_600).unwrap();
        let all = claims(&file(json!({})), &TERMS, now).unwrap();
        let subject = json!({"format": "email", "email": "ada@example.com"});
        let jti = all[0]["jti"].clone();
        assert_eq!(
            all,
            [json!({
                "iss": "https://rollcall.example.com", "aud": "https://idp.example.com", "iat": 1_767_225_600, "jti": jti,
                "sub_id": subject,
                "events": {"https://schemas.openid.net/secevent/caep/event-type/session-revoked": {
                    "event_timestamp": 1_767_225_600, "initiating_entity": "policy",
                    "reason_admin": {"en": "The person has left the company."}, "subject": {"user": subject},
                }},
            })],
            "one token, one event; neither exp nor sub"
        );
        let disabled = Terms { event: Event::AccountDisabled, ..TERMS };
        let events = claims(&file(json!({})), &disabled, now).unwrap().remove(0)["events"].clone();
        let uri = "https://schemas.openid.net/secevent/risc/event-type/account-disabled";
        assert!(events[uri].is_object() && events[uri].get("reason").is_none(), "{events}");
    }

    #[test]
    fn only_who_has_left_is_told_of_and_only_by_addresses_that_are_theirs_alone() {
        let told = |change: Value| claims(&file(change), &TERMS, Timestamp::UNIX_EPOCH).map(|all| all.len());
        assert_eq!(told(json!({})), Ok(1), "and not by the address that somebody else may have now");
        for (situation, change) in [
            ("a human asked for it, of somebody who works here", json!({"trigger": "AdHoc"})),
            ("a leave", json!({"trigger": "Leave"})),
            ("another operation", json!({"operation": "Freeze"})),
            ("no phase", json!({"phase": null})),
            ("no address is theirs alone", json!({"ownUsernames": []})),
            ("another prefix", json!({"ownUsernames": ["saml:ada@example.com"]})),
            ("no address", json!({"ownUsernames": ["oidc:ada", "oidc:@", "oidc:a@b@c", "oidc:a b@example.com"]})),
        ] {
            assert!(told(change).is_err(), "{situation}");
        }
    }

    #[test]
    fn the_same_thing_has_the_same_id_however_often_it_is_sent() {
        let jti = |change: Value, second| {
            claims(&file(change), &TERMS, Timestamp::from_second(second).unwrap()).unwrap()[0]["jti"].clone()
        };
        assert_eq!(jti(json!({}), 1), jti(json!({"attempt": 2}), 99));
        for other in
            [json!({"uid": "u-8"}), json!({"when": "Before"}), json!({"ownUsernames": ["oidc:bob@example.com"]})]
        {
            assert_ne!(jti(json!({}), 1), jti(other, 1));
        }
        assert_ne!(id(&["ab", "c"]), id(&["a", "bc"]));
    }
}
