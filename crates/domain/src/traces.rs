//! What a trace of a Revocation consists of, as plain values.
//!
//! The processes share nothing but the Revocation. So its uid is the id of the trace, and the id of a span follows from what it is a
//! span of: two processes come to the same ids without a word between them. What a span may say is a closed list, as labels of
//! metrics are: no name of a person, an account, a namespace or a Secret has a place in it.

use std::borrow::Cow;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::spelled;

/// Longest text of an attribute.
const MAX_TEXT: usize = 253;

/// Id of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TraceId([u8; 16]);

impl TraceId {
    /// The trace of an object: the sixteen bytes that its uid is. A uid that is no UUID, which Kubernetes nowhere promises, is digested.
    #[must_use]
    pub fn of(uid: &str) -> Self {
        let hex: String = uid.chars().filter(|letter| *letter != '-').collect();
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok();
        let bytes = bytes.and_then(|bytes| <[u8; 16]>::try_from(bytes).ok()).filter(|bytes| *bytes != [0; 16]);
        Self(bytes.unwrap_or_else(|| first(&Sha256::digest(uid.as_bytes()))))
    }

    /// As it is written: 32 hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }
}

/// Id of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpanId([u8; 8]);

impl SpanId {
    /// The span of this name in a trace; `which` tells it from others of the name, and is empty where there is one.
    #[must_use]
    pub fn of(trace: TraceId, name: Name, which: &str) -> Self {
        let mut digest = Sha256::new_with_prefix(trace.0);
        digest.update(name.as_str().as_bytes());
        digest.update([0]);
        digest.update(which.as_bytes());
        Self(first(&digest.finalize()))
    }

    /// As it is written: 16 hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }
}

/// The first bytes of a digest.
fn first<const N: usize>(digest: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.iter_mut().zip(digest).for_each(|(byte, of)| *byte = *of);
    bytes
}

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$of:meta])* $variant:ident => $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $type {
            $($(#[$of])* $variant),+
        }

        spelled!($type { $($variant => $word),+ });
    };
}

words!(
    /// What a span is of.
    Name {
        /// All of a Revocation.
        Revocation => "revocation",
        /// The read of an HR system that showed it.
        Read => "read",
        /// The pass of sync that wrote the Person.
        Person => "person",
        /// A plan that was drawn.
        Plan => "plan",
        /// A gate that held it.
        Gate => "gate",
        /// User names that were frozen.
        Freeze => "freeze",
        /// A freeze that was lifted.
        Lift => "lift",
        /// A hook.
        Hook => "hook",
        /// Its release to the revoker.
        Release => "release",
        /// The work of one Job on it.
        Revoke => "revoke",
        /// One target that was acted on.
        Step => "step",
        /// What the API server was seen to say of one target.
        Verdict => "verdict",
        /// All verdicts once more, after the API server's cache.
        Confirm => "confirm",
        /// Its record in the evidence.
        Seal => "seal",
        /// A check after the end.
        Check => "check",
        /// Something that came back.
        Return => "return",
    }
);

words!(
    /// What an attribute says.
    Key {
        /// Name of the SyncPolicy.
        Policy => "rollcall.policy",
        /// Name of the Revocation.
        Revocation => "rollcall.revocation",
        /// `Cut`, `Remove` or `Freeze`.
        Operation => "rollcall.operation",
        /// `Termination`, `Leave` or `AdHoc`.
        Trigger => "rollcall.trigger",
        /// How often it was tried again.
        Attempt => "rollcall.attempt",
        /// Name of the HRConnection.
        Connection => "rollcall.connection",
        /// Reason of the gate.
        Gate => "rollcall.gate",
        /// Whether a human approved it.
        Approved => "rollcall.approved",
        /// Where it stands after this.
        Phase => "rollcall.phase",
        /// How many targets.
        Targets => "rollcall.targets",
        /// How many user names.
        UserNames => "rollcall.user_names",
        /// How much remains.
        Remaining => "rollcall.remaining",
        /// What is done with a target.
        Action => "rollcall.action",
        /// Kind of a target.
        Kind => "rollcall.target.kind",
        /// How it ended.
        Outcome => "rollcall.outcome",
        /// The verdict.
        Verdict => "rollcall.verdict",
        /// Name of the CronJob of a hook.
        Hook => "rollcall.hook",
        /// How often a hook was begun.
        Attempts => "rollcall.attempts",
        /// Which of the checks after the end.
        Stage => "rollcall.stage",
        /// How many things were asked about.
        Asked => "rollcall.asked",
        /// Of how many nothing could be told.
        Unknown => "rollcall.unknown",
        /// How many work again, or came back.
        Refuted => "rollcall.refuted",
        /// Name of the revoker's Job.
        Job => "k8s.job.name",
        /// Why a span failed.
        Error => "error.type",
    }
);

/// What an attribute holds: a word of a closed vocabulary, the name of an object of Rollcall's own, or a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A word or a name.
    Text(Cow<'static, str>),
    /// How many.
    Number(u64),
    /// Whether.
    Truth(bool),
}

impl From<&'static str> for Value {
    fn from(word: &'static str) -> Self {
        Self::Text(Cow::Borrowed(word))
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Number(u64::try_from(number).unwrap_or(u64::MAX))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Truth(truth)
    }
}

impl Value {
    /// The name of an object of Rollcall's own: a Revocation, a policy, a connection, a Job.
    #[must_use]
    pub fn name(name: &str) -> Self {
        Self::Text(Cow::Owned(name.chars().take(MAX_TEXT).collect()))
    }
}

/// Something that took its time in a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its trace.
    pub trace: TraceId,
    /// Its id.
    pub id: SpanId,
    /// What it is a part of; none for the whole.
    pub parent: Option<SpanId>,
    /// What it is of.
    pub name: Name,
    /// When it began.
    pub begun: Timestamp,
    /// When it ended; never before it began.
    pub ended: Timestamp,
    /// What it says.
    pub attributes: Vec<(Key, Value)>,
    /// Whether it is to be shown as failed.
    pub failed: bool,
}

impl Span {
    /// Adds what it says.
    #[must_use]
    pub fn saying(mut self, key: Key, value: impl Into<Value>) -> Self {
        self.attributes.push((key, value.into()));
        self
    }

    /// Says why it failed, if it did.
    #[must_use]
    pub fn failing(mut self, why: Option<&'static str>) -> Self {
        if let Some(why) = why {
            self.failed = true;
            self.attributes.push((Key::Error, why.into()));
        }
        self
    }
}

/// The trace of one Revocation, and what each of its spans says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    id: TraceId,
    attempt: u32,
    common: Vec<(Key, Value)>,
}

impl Trace {
    /// The trace of the Revocation of this uid, in its `attempt`th attempt after the first.
    #[must_use]
    pub fn new(uid: &str, attempt: u32, common: Vec<(Key, Value)>) -> Self {
        Self { id: TraceId::of(uid), attempt, common }
    }

    /// All of it, as one span; each attempt has one of its own.
    #[must_use]
    pub fn whole(&self, begun: Timestamp, ended: Timestamp) -> Span {
        self.made(self.root(), None, Name::Revocation, (begun, ended))
    }

    /// A part of it.
    #[must_use]
    pub fn part(&self, name: Name, which: &str, time: (Timestamp, Timestamp)) -> Span {
        self.made(SpanId::of(self.id, name, which), Some(self.root()), name, time)
    }

    /// A part of a part.
    #[must_use]
    pub fn part_of(&self, parent: SpanId, name: Name, which: &str, time: (Timestamp, Timestamp)) -> Span {
        self.made(SpanId::of(self.id, name, which), Some(parent), name, time)
    }

    /// The id of a part that is not over yet, for what is a part of that.
    #[must_use]
    pub fn id_of(&self, name: Name, which: &str) -> SpanId {
        SpanId::of(self.id, name, which)
    }

    fn root(&self) -> SpanId {
        let which = if self.attempt == 0 { String::new() } else { self.attempt.to_string() };
        SpanId::of(self.id, Name::Revocation, &which)
    }

    fn made(&self, id: SpanId, parent: Option<SpanId>, name: Name, (begun, ended): (Timestamp, Timestamp)) -> Span {
        let attributes = self.common.clone();
        Span { trace: self.id, id, parent, name, begun, ended: ended.max(begun), attributes, failed: false }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const UID: &str = "0d5a1c1e-7b1f-4c0e-9a53-1f0c3f6d2b11";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_uid_is_the_id_of_the_trace_whatever_it_looks_like() {
        for (what, uid, expected) in [
            ("a UUID", UID, Some("0d5a1c1e7b1f4c0e9a531f0c3f6d2b11")),
            ("in capitals", "0D5A1C1E-7B1F-4C0E-9A53-1F0C3F6D2B11", Some("0d5a1c1e7b1f4c0e9a531f0c3f6d2b11")),
            ("no UUID", "r-uid", None),
            ("nothing", "", None),
            ("all zeros, which is no trace", "00000000-0000-0000-0000-000000000000", None),
        ] {
            let id = TraceId::of(uid);
            assert!(expected.is_none_or(|expected| id.hex() == expected), "{what}: {}", id.hex());
            assert_eq!(id, TraceId::of(uid), "{what}: the same in each process");
            assert!(id.hex().len() == 32 && id.hex().chars().any(|digit| digit != '0'), "{what}");
        }
        assert_ne!(TraceId::of("r-uid"), TraceId::of("r-uid-2"));
    }

    #[test]
    fn spans_are_told_apart_by_name_and_by_which_of_that_name_and_by_their_trace() {
        let (one, other) = (TraceId::of(UID), TraceId::of("another"));
        let ids: BTreeSet<_> = [
            SpanId::of(one, Name::Step, "a"),
            SpanId::of(one, Name::Step, "b"),
            SpanId::of(one, Name::Verdict, "a"),
            SpanId::of(other, Name::Step, "a"),
        ]
        .into();
        assert_eq!(ids.len(), 4);
        assert_eq!(SpanId::of(one, Name::Step, "a").hex(), SpanId::of(TraceId::of(UID), Name::Step, "a").hex());
        assert_eq!(SpanId::of(one, Name::Step, "a").hex().len(), 16);
    }

    #[test]
    fn what_another_process_tells_of_is_a_part_of_the_whole() {
        let said = vec![(Key::Policy, Value::name("everyone"))];
        let (of_control, of_revoker) = (Trace::new(UID, 0, said.clone()), Trace::new(UID, 0, said.clone()));
        let whole = of_control.whole(at(10), at(20));
        let work = of_revoker.part(Name::Revoke, "revoke-1", (at(12), at(19)));
        let step = of_revoker.part_of(of_revoker.id_of(Name::Revoke, "revoke-1"), Name::Step, "u", (at(13), at(14)));
        assert_eq!((whole.parent, work.parent, step.parent), (None, Some(whole.id), Some(work.id)));
        assert_eq!((whole.trace, work.trace), (step.trace, step.trace));
        assert_eq!(step.attributes, said, "each says of which Revocation it is");
        let again = Trace::new(UID, 1, said).whole(at(10), at(30));
        assert!(again.trace == whole.trace && again.id != whole.id, "a new attempt is told for itself");
    }

    #[test]
    fn no_span_ends_before_it_began_and_one_that_failed_says_why() {
        let trace = Trace::new(UID, 0, Vec::new());
        let span = trace.part(Name::Step, "", (at(20), at(10))); // clocks of two machines
        assert_eq!((span.begun, span.ended, span.failed), (at(20), at(20), false));
        assert!(!span.clone().failing(None).failed);
        let failed = span.saying(Key::Outcome, "Refused").failing(Some("Refused"));
        assert!(failed.failed && failed.attributes.contains(&(Key::Error, "Refused".into())));
    }

    #[test]
    fn a_long_name_is_cut() {
        assert_eq!(Value::name(&"x".repeat(1_000)), Value::Text("x".repeat(MAX_TEXT).into()));
    }
}
