//! The token zoo: every kind of access that a person can have, minted on the real API server, with what the plan predicts
//! of each and what the API server answers afterwards.
//!
//! What is predicted is read off `kubectl rollcall plan`, by the object that the access rests on. Nothing here knows it.

mod mint;
mod tries;

use std::fmt;

use serde_json::{Value, json};

use self::tries::Credential;
use super::installation::{Consent, Installation, Running, a_day};
use super::rotators::Rotators;
use rollcall::api::revocation::{Operation, Phase};

pub use self::mint::mint;

/// One kind of access.
pub struct Kind {
    /// What it is called in the documentation.
    pub words: &'static str,
    /// The object by which the plan tells its fate.
    rests_on: String,
    credential: Credential,
}

/// What a plan says will become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Refused once the cut is done.
    AtTheCut,
    /// Refused once somebody approved the cut and it is done.
    AfterApproval,
    /// Goes on, for a reason, and perhaps until a known end.
    Remains { why: String, dated: bool },
    /// The plan does not mention it.
    Unseen,
}

impl Fate {
    /// Whether the plan says that it is refused in the end.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::AtTheCut | Self::AfterApproval)
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtTheCut => f.write_str("at the cut"),
            Self::AfterApproval => f.write_str("after approval"),
            Self::Remains { why, dated: false } => write!(f, "remains: `{why}`"),
            Self::Remains { why, dated: true } => write!(f, "remains until its end: `{why}`"),
            Self::Unseen => f.write_str("not seen"),
        }
    }
}

/// What became of one kind.
pub struct Told {
    pub words: &'static str,
    pub predicted: Fate,
    /// Whether the API server still took it afterwards.
    pub works: bool,
}

/// What became of all kinds, and the hashes of the plan that was predicted and of the one that was carried out.
pub struct Outcome {
    pub told: Vec<Told>,
    pub plans: [String; 2],
}

/// An installation in which person 7 of ten is to have every kind of access.
pub async fn installed(story: &str) -> (Installation, (Running, Rotators)) {
    let mut targets = ["apps", "shared", "grouped", "aggregated", "vault"].map(|target| (target, Consent::Accounts));
    targets[0].1 = Consent::Rotate;
    let rollcall = Installation::with(story, &targets, json!({"clusterBindings": true})).await;
    let rotators = Rotators::start(&rollcall.admin, vec![rollcall.target("apps")]).await;
    let running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"limits": {"objects": a_day(200)}, "revocation": {"secrets": "Rotate"}})).await;
    (rollcall, (running, rotators))
}

/// Mints every kind for person 7, asks for the plan, lets them leave, and tries every kind.
pub async fn tell(rollcall: &Installation) -> Outcome {
    let kinds = mint(rollcall).await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    for kind in &kinds {
        assert!(kind.credential.works(rollcall).await, "before anybody left, {} does not work", kind.words);
    }
    let plan = plan(rollcall);
    let predicted: Vec<Fate> = kinds.iter().map(|kind| fate(&plan, &kind.rests_on)).collect();
    rollcall.learn(&staff.person("7").terminated()).await;
    // Every verdict was asked again after the API server's cache: nothing that is tried now is answered from it.
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    let carried_out = cut.status.unwrap().plan.unwrap().hash;
    let mut told = Vec::new();
    for (kind, predicted) in kinds.iter().zip(predicted) {
        told.push(Told { words: kind.words, predicted, works: kind.credential.works(rollcall).await });
    }
    mint::clear(rollcall).await;
    Outcome { told, plans: [plan["plan"].as_str().unwrap().to_owned(), carried_out] }
}

/// What `kubectl rollcall plan` says of person 7.
pub fn plan(rollcall: &Installation) -> Value {
    let whom = format!("{}/7", rollcall.connection);
    serde_json::from_str(&rollcall.succeeds(&["plan", &whom, "--output", "json"])).unwrap()
}

/// What a plan says of the access that rests on an object.
fn fate(plan: &Value, rests_on: &str) -> Fate {
    let named = |list: &str| plan[list].as_array().unwrap().iter().find(|one| one["what"] == rests_on).cloned();
    if let Some(end) = named("ends") {
        return match end["dead"].as_str().unwrap() {
            "AtTheCut" => Fate::AtTheCut,
            "AfterApproval" => Fate::AfterApproval,
            other => panic!("{rests_on} is dead {other}"),
        };
    }
    if let Some(left) = named("remaining") {
        return Fate::Remains { why: left["why"].as_str().unwrap().to_owned(), dated: left["until"].is_string() };
    }
    let readable = plan["readable"].as_array().unwrap().iter().any(|one| {
        let place = one["namespace"].as_str().unwrap_or_default();
        let name = one["name"].as_str();
        let secret = rests_on.strip_prefix("Secret ").and_then(|secret| secret.split_once('/'));
        secret.is_some_and(|(namespace, secret)| {
            (place.is_empty() || place == namespace) && name.is_none_or(|name| name == secret)
        })
    });
    if readable { Fate::Remains { why: "Readable".to_owned(), dated: false } } else { Fate::Unseen }
}
