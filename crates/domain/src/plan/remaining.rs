//! What of a leaver is left alone, and why: closed words for the status, with what to do about each.

use crate::handover::{Heir, Rule};

/// Why something of the leaver is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RemainingReason {
    /// A binding with subjects that are not this leaver's.
    SharedBinding,
    /// A mark that resolves to more than one person.
    AmbiguousMark,
    /// It is this human's, and another HR record of theirs works here, or it cannot be told.
    WorksHere,
    /// A mark that names somebody else by now, or nobody who is known.
    HandedOver,
    /// An account that workloads run as.
    WorkloadAccount,
    /// Whether workloads run as it could not be read.
    UnknownConsumers,
    /// The namespace has not consented.
    NoConsent,
    /// An object of the system or of Rollcall itself, or in a namespace of theirs.
    SystemNamespace,
    /// The policy protects it, or it carries the break-glass label.
    Protected,
    /// The account `default` of a namespace.
    DefaultAccount,
    /// A name longer than a Revocation can hold.
    NameTooLong,
    /// More than one plan holds; the rest is the next plan.
    PlanFull,
    /// The person came back while the cut was under way.
    NoLongerLeft,
    /// The user name still has rights through something that is not in the plan.
    StillAllowed,
    /// A shared binding that was to be trimmed, and nobody did.
    NotTrimmed,
    /// A shared binding whose role the identity that trims may not bind.
    MayNotBind,
    /// A shared binding that was trimmed, and names the leaver again.
    PutBack,
    /// An account whose mark was set shortly before the exit, on an account that stood without it.
    FreshMark,
    /// An account whose mark named the leaver, and was removed or changed shortly before the exit.
    ChangedBeforeExit,
    /// An account without a mark, in a namespace whose owner is the leaver.
    OwnedByNamespace,
    /// An account without a mark, with a label that names the leaver.
    OwnedByLabel,
    /// An account without a mark, written by a field manager that is called as the leaver is.
    OwnedByManager,
    /// An account without a mark, which the Backstage catalogue says is the leaver's.
    OwnedByCatalogue,
    /// An account without a mark, of which sources of ownership name this leaver and somebody else.
    SourcesDisagree,
    /// What other sources say of accounts without a mark could not be read.
    SourcesUnread,
    /// A Secret, and the policy only reports those.
    SecretContents,
    /// A Secret in a namespace that has not consented to `rotate`.
    NoConsentToRotate,
    /// A Secret that nothing gives a new value.
    NothingRotates,
    /// A Secret that was replaced or deleted before it was rotated.
    SecretGone,
    /// A Secret whose Certificate keeps its private key.
    KeyStays,
    /// A Secret that was to be rotated, and has the value it had.
    Unchanged,
    /// A Secret that was to be rotated, and was not in time.
    NotRotated,
    /// A Secret with a new value, while something that runs may have the old one.
    NotAdopted,
    /// An account that workloads run as, and nobody is left to own it.
    OwnerVacant,
    /// An account that was to be handed over to somebody who has left since.
    HeirLeft,
    /// An account that was to be handed over, and something holds one of its token Secrets, which would go with it.
    TokenInUse,
    /// An account that was handed over, and what runs as it was not replaced.
    NotReplaced,
    /// Pods in which a session of theirs may be open, and that nobody evicts.
    OpenSessions,
    /// More such pods than are evicted for one leaver.
    TooManyPods,
    /// A pod that was to be evicted, and is still there.
    NotEvicted,
}

impl RemainingReason {
    /// Its spelling in the status and the evidence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SharedBinding => "SharedBinding",
            Self::AmbiguousMark => "AmbiguousMark",
            Self::WorksHere => "WorksHere",
            Self::HandedOver => "HandedOver",
            Self::WorkloadAccount => "WorkloadAccount",
            Self::UnknownConsumers => "UnknownConsumers",
            Self::NoConsent => "NoConsent",
            Self::SystemNamespace => "SystemNamespace",
            Self::Protected => "Protected",
            Self::DefaultAccount => "DefaultAccount",
            Self::NameTooLong => "NameTooLong",
            Self::PlanFull => "PlanFull",
            Self::NoLongerLeft => "NoLongerLeft",
            Self::StillAllowed => "StillAllowed",
            Self::NotTrimmed => "NotTrimmed",
            Self::MayNotBind => "MayNotBind",
            Self::PutBack => "PutBack",
            Self::FreshMark => "FreshMark",
            Self::ChangedBeforeExit => "ChangedBeforeExit",
            Self::OwnedByNamespace => "OwnedByNamespace",
            Self::OwnedByLabel => "OwnedByLabel",
            Self::OwnedByManager => "OwnedByManager",
            Self::OwnedByCatalogue => "OwnedByCatalogue",
            Self::SourcesDisagree => "SourcesDisagree",
            Self::SourcesUnread => "SourcesUnread",
            Self::SecretContents => "SecretContents",
            Self::NoConsentToRotate => "NoConsentToRotate",
            Self::NothingRotates => "NothingRotates",
            Self::SecretGone => "SecretGone",
            Self::KeyStays => "KeyStays",
            Self::Unchanged => "Unchanged",
            Self::NotRotated => "NotRotated",
            Self::NotAdopted => "NotAdopted",
            Self::OwnerVacant => "OwnerVacant",
            Self::HeirLeft => "HeirLeft",
            Self::TokenInUse => "TokenInUse",
            Self::NotReplaced => "NotReplaced",
            Self::OpenSessions => "OpenSessions",
            Self::TooManyPods => "TooManyPods",
            Self::NotEvicted => "NotEvicted",
        }
    }

    /// What is told of sessions, by the Revocation that evicts pods and by no other.
    pub const SESSIONS: [Self; 3] = [Self::OpenSessions, Self::TooManyPods, Self::NotEvicted];

    /// What is told of an account only until somebody marks it, or until an approval is asked for it.
    pub const WEAK: [Self; 6] = [
        Self::FreshMark,
        Self::OwnedByNamespace,
        Self::OwnedByLabel,
        Self::OwnedByManager,
        Self::OwnedByCatalogue,
        Self::SourcesDisagree,
    ];

    /// What to do about it.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::SharedBinding => {
                "Remove the leaver's subject from the binding where it is applied from; the other subjects keep it."
            }
            Self::AmbiguousMark => "Change the annotation rollcall.dev/owner so that it names one person.",
            Self::WorksHere => {
                "Another HR record with the same address or sign-in name still works here, so this is taken to be in use. It is revoked when that record ends as well. If they are two people, end this access by hand."
            }
            Self::HandedOver => {
                "Its annotation rollcall.dev/owner names somebody else, or nobody who is known. If it is still the leaver's, set it back; otherwise rotate its tokens."
            }
            Self::WorkloadAccount => {
                "Running workloads use this account; it was left alone. Hand it over: change its owner annotation, then rotate its tokens."
            }
            Self::UnknownConsumers => {
                "Let control read the workloads of this namespace (consent for accounts), so that it can tell a personal account from a workload's."
            }
            Self::NoConsent => {
                "Consent in this namespace with a RoleBinding to the revoker (see docs/install.md), or end this access by hand."
            }
            Self::SystemNamespace => {
                "Rollcall touches nothing of the system (kube-* namespaces, system: names) or of its own; end this access by hand."
            }
            Self::Protected => {
                "The policy, or the label rollcall.dev/break-glass, keeps Rollcall away; end this access by hand if that is right."
            }
            Self::DefaultAccount => {
                "Everybody in the namespace shares the account default; move the owner annotation to an account of the person's own."
            }
            Self::NameTooLong => "Its name has more than 1024 characters; end this access by hand.",
            Self::PlanFull => {
                "One plan holds 256 objects, and 128 KiB of names; the rest is planned once this one is done."
            }
            Self::NoLongerLeft => {
                "The person works here again, or is out of scope; what was not deleted yet was left alone."
            }
            Self::StillAllowed => {
                "The user name still has rights through another binding or group; end them where they are applied from."
            }
            Self::NotTrimmed => {
                "rollcall trim did not take the leaver's subject out of it in time: see that it runs, and its log. Then remove the subject where the binding is applied from."
            }
            Self::MayNotBind => {
                "rollcall trim may not bind the role of this binding, so that it cannot change it: list the role in the chart's value trim.roles. Then remove the subject where the binding is applied from."
            }
            Self::PutBack => {
                "The leaver's subject was taken out and is in it again: status.returned names the field manager that wrote it. Remove the subject where the binding is applied from."
            }
            Self::FreshMark => {
                "Its annotation rollcall.dev/owner was set within the last 30 days, on an account that stood without it. If the person left, a Revocation of its own waits for an approval; ask who set it."
            }
            Self::OwnedByNamespace => {
                "It has no owner annotation, and the leaver owns its namespace. If it is theirs: `kubectl rollcall own` it, and approve what follows."
            }
            Self::OwnedByLabel => {
                "It has no owner annotation, and a label names the leaver. If it is theirs: `kubectl rollcall own` it, and approve what follows."
            }
            Self::OwnedByManager => {
                "It has no owner annotation, and the leaver wrote it, by its managedFields. If it is theirs: `kubectl rollcall own` it, and approve what follows."
            }
            Self::OwnedByCatalogue => {
                "It has no owner annotation, and the leaver owns it by the Backstage catalogue. If it is theirs: `kubectl rollcall own` it, and approve what follows."
            }
            Self::SourcesDisagree => {
                "It has no owner annotation, and what spec.identity.ownership of the policy asks names this leaver and somebody else. Say whose it is: `kubectl rollcall own`."
            }
            Self::SourcesUnread => {
                "What spec.identity.ownership of the policy asks could not be read, so accounts without an owner annotation are not told: see control's log."
            }
            Self::ChangedBeforeExit => {
                "Its annotation rollcall.dev/owner named this person, and was removed or changed within the last 30 days, or the account was made again without it. If it is still theirs, set it back and approve what follows; otherwise delete the account and create it again, which ends its tokens."
            }
            Self::SecretContents => {
                "What was copied from it works until it is rotated where it is valid. With spec.revocation.secrets: Rotate the policy has Secrets rotated."
            }
            Self::NoConsentToRotate => {
                "Consent to rotate in this namespace (see docs/secrets.md), or rotate it by hand where it is valid: what was copied works until then."
            }
            Self::NothingRotates => {
                "Neither external-secrets nor cert-manager manages it, and the annotation rollcall.dev/rotate declares nothing to generate. Rotate it by hand where it is valid."
            }
            Self::SecretGone => {
                "It was deleted or replaced before it was rotated. What was copied from it works until it is rotated where it is valid."
            }
            Self::KeyStays => {
                "Its Certificate does not say spec.privateKey.rotationPolicy: Always, so that a new certificate may have the old key. Set it, then renew: cmctl renew NAME."
            }
            Self::Unchanged => {
                "Its controller fetched it again, and the value is the one it was: rotate it at the provider, then refresh it."
            }
            Self::NotRotated => {
                "No new value was seen in time: status.steps says what stopped it. Rotate it by hand where it is valid."
            }
            Self::OwnerVacant => {
                "Workloads run as it, so it was left alone, and nobody who works here comes next by spec.handover of the policy. Say whose it is: kubectl rollcall own. Then end its tokens: delete it and create it again, and replace its pods."
            }
            Self::HeirLeft => {
                "It was to be handed over to somebody who does not work here any more, and was left alone. Another hand-over, to the next owner, waits for an approval."
            }
            Self::TokenInUse => {
                "Something mounts or reads one of its token Secrets, which goes with the account and is not made again. Let that use the token that every pod has, then retry; or hand the account over by hand."
            }
            Self::NotReplaced => {
                "It was handed over, and its old tokens are refused. Pods that were started before go on with those: status.steps names them, and what keeps them. Make room in their PodDisruptionBudget, or see why new ones are not ready; then kubectl rollcall retry."
            }
            Self::OpenSessions => {
                "They could exec, attach or port-forward there, and a session that is open goes on. Rollcall evicts no pod that nothing makes again as it was, or that is protected, and none where nobody consented to workloads. Delete the pod by hand; kubectl rollcall used finds open sessions in an audit log."
            }
            Self::TooManyPods => {
                "Sessions of theirs may be open in more pods than are evicted for one leaver, which is 64. Find those that are open in an audit log, with kubectl rollcall used, and delete their pods. Restarting the API servers one by one closes every exec, attach and port-forward."
            }
            Self::NotEvicted => {
                "It was to be evicted, and is still there: status.steps says what keeps it. Make room in its PodDisruptionBudget, then kubectl rollcall retry; or delete the pod by hand."
            }
            Self::NotAdopted => {
                "It has a new value, and pods that were started with the old one go on: status.verdicts names them. Replace them; then the old value can be ended where it is valid."
            }
        }
    }
}

/// Something that is left alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remaining {
    /// Kind, namespace and name.
    pub what: String,
    /// Why.
    pub why: RemainingReason,
    /// Of an account that workloads run as: who comes next.
    pub heir: Option<Heir>,
}

impl Remaining {
    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> String {
        let Some(heir) = &self.heir else { return self.why.advice().to_owned() };
        if let Some((namespace, secret)) = self.what.strip_prefix("Secret ").and_then(|place| place.split_once('/')) {
            let (advice, owner) = (self.why.advice(), &heir.owner);
            return format!(
                "{advice} Then hand it over to its next owner: kubectl annotate secret -n {namespace} {secret} --overwrite rollcall.dev/owner={owner}"
            );
        }
        let account = self.what.trim_start_matches("ServiceAccount ");
        let (owner, by) = (&heir.owner, heir.by.words());
        let by_hand = match heir.by {
            Rule::Backup | Rule::Manager => format!("kubectl rollcall own {account} --owner {owner}"),
            Rule::Team => "change its owner annotation".to_owned(),
        };
        format!(
            "Workloads run as it, so it was left alone. Its next owner is {owner}, by {by}. With the consent `workloads`, the hand-over waits for an approval. By hand: {by_hand}, then delete the account and create it again, and replace its pods."
        )
    }
}
