//! Person: one human, the employments that an HR system reports, and what happened to their access.

mod account;
mod moves;

use jiff::Timestamp;
use jiff::civil::Date;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

pub use self::account::{Account, AccountFact};
pub use self::moves::{Moved, Moves, Review, ReviewAnswer};
use super::condition::Condition;
use domain::employee::EmploymentType;
use domain::field::{self, Texts};
use domain::turns::Turned;

/// Spec of a Person: identity by `rollcall sync`, `hold` by an admin.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "rollcall.dev",
    version = "v1alpha1",
    kind = "Person",
    plural = "people",
    singular = "person",
    namespaced,
    status = "PersonStatus",
    derive = "PartialEq",
    shortname = "psn",
    category = "rollcall",
    doc = "One human: the employments that an HR system reports, and what happened to their access.",
    selectable = ".status.employment.state",
    printcolumn(name = "HR id", type_ = "string", json_path = ".spec.records[0].id"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.employment.state"),
    printcolumn(name = "Last day", type_ = "string", json_path = ".status.employment.lastDay"),
    printcolumn(name = "Access", type_ = "string", json_path = ".status.access.state"),
    printcolumn(name = "Remaining", type_ = "integer", json_path = ".status.access.remaining"),
    printcolumn(name = "First day", type_ = "string", json_path = ".status.employments[0].startDate", priority = 1),
    printcolumn(name = "Why", type_ = "string", json_path = ".status.employment.why", priority = 1),
    printcolumn(name = "Revocation", type_ = "string", json_path = ".status.access.revocation", priority = 1),
    printcolumn(name = "Next action", type_ = "string", json_path = ".status.access.nextActionAt", priority = 1),
    printcolumn(name = "Waits for", type_ = "string", json_path = ".status.access.waitsFor", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct PersonSpec {
    /// The HR records of this person. The person has left when all of them have ended. Rollcall names the first, and adds those
    /// that match by the keys of the policy; others are linked by a human with the verb `link` on people: `kubectl rollcall merge`.
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(validation = Rule::new("self.all(one, self.exists_one(other, other == one))").message("a record is linked twice; name each once"))]
    pub records: Vec<Record>,
    /// HR records that are another human's, although something suggests that they are this one's: `kubectl rollcall apart`. Set by a
    /// human with the verb `link`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub apart: Vec<Record>,
    /// Addresses (`email:…`) and user names (`user:…`) that were never theirs, such as a typing error in HR: `kubectl rollcall
    /// disown`. They are taken off `status.aliases`, unless HR still reports them. Set by a human with the verb `link`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 512), regex(pattern = "^(email|user|number):.")))]
    pub disowned: Vec<String>,
    /// Rollcall leaves this person's access alone until the given instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Box<Hold>>,
    /// A human's word that this person leaves (`kubectl rollcall leave-now`), or has not left (`kubectl rollcall stays`), which goes before
    /// what HR says. Set with the verb `declare` on people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Box<Declared>>,
    /// A human's answer to the review in `status.moves.review`: `kubectl rollcall review --keep`. Set with the verb `review` on people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Box<ReviewAnswer>>,
    /// Fields that the policy imports `Once`, which stay as you edit them, and fields that you enter by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Box<Profile>>,
}

/// A human's word of what a person is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.state) || (has(self.at) && !has(self.lastDay))").message("spec.declared with a state needs at, and has no lastDay"))]
#[x_kube(validation = Rule::new("!has(self.state) || !has(self.at) || self.until - self.at <= duration('2160h')").message("that somebody has not left is declared for 90 days at most"))]
pub struct Declared {
    /// What the person is, if they have not left: it goes before what HR says. Without it, they leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<DeclaredState>,
    /// When it was said. With `state`, the word counts from then on, for 90 days at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Their last day of work, in their own time zone; without it, they leave at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_day: Option<Date>,
    /// The reason. Keep it short and free of personal details.
    #[schemars(length(min = 1, max = 256))]
    pub reason: String,
    /// When the word ends, and what HR says counts again. If HR has not reported the exit by then, the person works here again.
    pub until: Timestamp,
    /// User name of the person who said so.
    #[schemars(length(min = 1, max = 256))]
    pub by: String,
}

/// What a person is by a human's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeclaredState {
    /// Works here, such as where HR is late, or wrong.
    Active,
    /// Is on leave.
    Leave,
    /// Is suspended.
    Suspended,
}

impl PersonSpec {
    /// Of somebody whom no human has said anything about yet.
    #[must_use]
    pub const fn of(records: Vec<Record>, profile: Option<Box<Profile>>) -> Self {
        Self { records, apart: Vec::new(), disowned: Vec::new(), hold: None, declared: None, review: None, profile }
    }
}

impl Person {
    /// What is kept for showing: what follows HR, and what was imported or entered by hand.
    pub fn profiles(&self) -> impl Iterator<Item = &Profile> {
        let follows = self.status.as_ref().and_then(|status| status.profile.as_ref());
        follows.into_iter().chain(self.spec.profile.as_deref())
    }

    /// Gives back what was allocated for lists that did not grow: there are as many of these as the company has people.
    pub fn shrink(&mut self) {
        self.spec.records.shrink_to_fit();
        self.spec.apart.shrink_to_fit();
        if let Some(status) = &mut self.status {
            status.employments.shrink_to_fit();
            status.aliases.shrink_to_fit();
            status.imported.shrink_to_fit();
            status.turns.shrink_to_fit();
            status.conditions.shrink_to_fit();
        }
    }

    /// The full name, wherever it is kept.
    #[must_use]
    pub fn display_name(&self) -> Option<&str> {
        self.profiles().find_map(|profile| profile.display_name.as_deref())
    }
}

/// A record of an HR system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Name of the HRConnection.
    #[schemars(length(min = 1, max = 253))]
    pub connection: String,
    /// Id of the person in the HR system.
    #[schemars(length(min = 1, max = 128))]
    pub id: String,
}

/// A pause for this person's access, set by a human.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// The reason; shown in conditions.
    #[schemars(length(min = 1, max = 256))]
    pub reason: String,
    /// When the hold ends.
    pub until: Timestamp,
    /// Who set it.
    #[schemars(length(min = 1, max = 256))]
    pub by: String,
}

/// Status of a Person; only `rollcall sync` writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonStatus {
    /// Name of the SyncPolicy that manages this person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub policy: Option<String>,
    /// What each HR record reports, in the order of `spec.records`; records that a trusted response ever named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub employments: Vec<Employment>,
    /// The state that follows today.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub employment: Option<EmploymentState>,
    /// The leave they are on, where the policy's `lifecycle.leave` is not `Keep`. Stays until they work here again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave: Option<Box<OnLeave>>,
    /// Every work address (`email:…`), user name (`user:…`) and, where the policy matches by it, employee number (`number:…`) ever known. An empty value in a response never removes one; `spec.disowned` does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 512)))]
    pub aliases: Vec<String>,
    /// From when to when, of those that were not reported all the time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub alias_dates: Vec<AliasDates>,
    /// Name, address and the fields that follow HR (`Continuous`), as last reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// Fields that were imported into `spec.profile`. None of them is imported again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 48), inner(length(max = 70)))]
    pub imported: Vec<String>,
    /// What is remembered of changes of their department, title, company and manager: `spec.lifecycle.move` of the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moves: Option<Box<Moves>>,
    /// Turns of their working life, such as `Joined` or `Terminated`, the newest 16. `rollcall tell` sends each as an event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub turns: Vec<Turned>,
    /// State of the current Revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Box<Access>>,
    /// Salt of the digest by which evidence names the person. Deleting the Person deletes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub salt: Option<String>,
    /// `Revoked`, for a leaver; `Moved` and `ReviewOverdue`, for a mover.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// From when to when an address or user name was reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AliasDates {
    /// The address or user name, as in `aliases`.
    #[schemars(length(max = 512))]
    pub alias: String,
    /// When a trusted response first had it; without it, it is as old as the Person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Since when trusted responses no longer have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// It is in `spec.disowned`, and HR still reports it: it counts until HR is corrected.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disputed: bool,
}

/// What an HR record reports: dates and mapped words, from which a midnight can be computed without reading again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Employment {
    /// Name of the HRConnection.
    #[schemars(length(max = 253))]
    pub connection: String,
    /// Id of the person in the HR system.
    #[schemars(length(max = 128))]
    pub id: String,
    /// The reported status: `Active`, `Leave`, `Suspended`, `Terminated`, `Unmapped`, or `Silent` for a source without one.
    #[schemars(length(max = 16))]
    pub reported_status: String,
    /// First day of work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_date: Option<Date>,
    /// Last day of work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_working_day: Option<Date>,
    /// The last day that a trusted response announced while it was still to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<Date>,
    /// The planned end of a fixed-term contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_end: Option<Date>,
    /// Whether the reason of the termination means at once (`urgentReasons`); the reason itself is not kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub urgent: bool,
    /// That the account is switched off, of a connection with `saysWhoLeft`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switched_off: Option<Box<SwitchedOff>>,
    /// When that day was first announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced_at: Option<Timestamp>,
    /// Whether another trusted response, at least a day later, announced the same day.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confirmed: bool,
    /// Since when trusted responses no longer contain this record. This is not a termination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_since: Option<Timestamp>,
    /// What is known of their account, of what the policy keeps (`spec.fields`: `lastSignIn`, `mfaEnrolled`, `sso`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Box<Account>>,
    /// The state that follows from this record alone, where it differs from that of the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_itself: Option<Box<EmploymentState>>,
}

/// That an account is switched off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SwitchedOff {
    /// The day since when all trusted responses have said so.
    pub since: Date,
    /// Whether one said so after as many days as the policy asks for: the person has left.
    pub over: bool,
}

/// The state that follows from the employments today, in the person's time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EmploymentState {
    /// State of the person.
    pub state: State,
    /// Since when the person has this state.
    pub since: Timestamp,
    /// Last day of work, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_day: Option<Date>,
    /// IANA name of the person's time zone.
    #[schemars(length(max = 64))]
    pub time_zone: String,
    /// The reason: `Active`, `LeavesLater`, `EarlierEmployment`, `StartsLater`, `Contradiction`, `LastDayPassed`,
    /// `Terminated`, `Urgent`, `Declared`, `DeclaredActive`, `DeclaredLeave`, `DeclaredSuspended`, `SwitchedOff`, `ContractEnded`, `TerminatedLater`, `TooFarAhead`, `EndsBeforeStart`, `OnLeave`, `Suspended`, `Unmapped`,
    /// `NothingSaid`, `NextFollows`, `Between`, `NotNamed`, `NotMigrated`, `NoEmployment`, `OtherSourceStale`, `Conflict`, `PolicyConflict`, or `Other`.
    #[schemars(length(max = 64))]
    pub why: String,
    /// The same as a text for reading; it may change between versions.
    #[serde(default)]
    #[schemars(length(max = 512))]
    pub message: String,
    /// The run that found the termination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub run: Option<String>,
    /// Whether the termination needs approval: the person was a leaver at the baseline, when first seen or when they came into
    /// scope, or drops out of scope with the response that reports the exit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub baseline: bool,
    /// When the termination takes effect: the first instant after the last day; without a last day, when it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<Timestamp>,
    /// When the policy was applied to the trusted response, or the midnight, that made the person a leaver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
    /// The first reason why the person is out of scope; `status.scope.excluded` of the policy counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub out_of_scope: Option<String>,
    /// The reason for which the response that reports the exit would also put the person out of scope. They stay in scope, and the
    /// Revocation needs approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub leaves_scope: Option<String>,
    /// Whether two trusted responses a day apart announced the last day; such a leaver does not count against limits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub announced: bool,
}

/// A leave that the policy acts on; `Suspended` is one too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OnLeave {
    /// When a trusted response first said so.
    pub seen: Timestamp,
    /// The run that found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub run: Option<String>,
    /// Whether acting on it needs approval: the person was on leave at the baseline, when first seen or when they came into scope.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub baseline: bool,
}

/// State of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum State {
    /// Starts later.
    PreHire,
    /// Works here.
    Active,
    /// Suspended or inactive.
    Suspended,
    /// On leave.
    Leave,
    /// Has left.
    Terminated,
    /// Out of the policy's scope: nothing is done.
    OutOfScope,
    /// Cannot be decided: nothing is done.
    Unknown,
}

/// What is kept of a person for showing; which fields, the policy says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub display_name: Option<String>,
    /// Current work address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 320))]
    pub work_email: Option<String>,
    /// Kind of employment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub employment_type: Option<EmploymentType>,
    /// Plain texts.
    #[serde(flatten)]
    #[schemars(schema_with = "texts")]
    pub texts: Texts,
    /// Name of the manager's Person, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub manager: Option<String>,
}

fn texts(_: &mut SchemaGenerator) -> Schema {
    field::schema(None, 256)
}

/// State of the current Revocation of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// Phase of the Revocation, or `Kept` if the person keeps their access.
    #[schemars(length(max = 32))]
    pub state: String,
    /// Name of the Revocation.
    #[schemars(length(max = 253))]
    pub revocation: String,
    /// What it waits for, as a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub waits_for: Option<String>,
    /// When the next step is due, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_action_at: Option<Timestamp>,
    /// Number of objects that remain and still work.
    #[serde(default)]
    pub remaining: u32,
}
