//! `rollcall revoke-now`: a human ends, or freezes, the access of somebody who works here: a lost laptop, a leaked token.
//!
//! It makes one Revocation under the caller's own name, and nothing else. It passes the gates like every other one: limits,
//! protection, holds and the mode of the policy. An admission policy asks for the verb `declare`.

use clap::Args;
use kube::ResourceExt;
use kube::api::{ObjectMeta, PostParams};

use super::asked::Whom;
use super::cluster::whoami;
use super::link::shown;
use super::people::{everybody, find};
use super::terminal::{reason, say};
use super::{Failure, ask};
use crate::api::revocation::{Operation, RevocationSpec, Trigger};
use crate::api::{Revocation, names};
use crate::kube::calls;
use crate::kube::named::Api;
use domain::roster::termination_id;

/// Options of `rollcall revoke-now`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    whom: Whom,
    /// The reason, in a few words without personal details; it is kept with the Revocation
    #[arg(long, value_parser = reason)]
    reason: String,
    /// Refuse what they would change, instead of revoking what is theirs; `reject` the Revocation to lift it
    #[arg(long)]
    freeze: bool,
}

/// Makes a Revocation of somebody who works here.
///
/// # Flow          read, show, ask, find the caller's own name, create
/// # Guarantees    nothing that exists is changed; it acts only once every gate is open
/// # Assumptions   the policies of the chart are installed
/// # Errors        why not, and that nothing was changed
pub async fn run(options: &Options) -> Result<(), Failure> {
    let (client, _, people) = everybody(&options.whom.cluster).await?;
    let person = find(&people, &options.whom.person)?;
    say(&shown(person));
    let Some(policy) = person.status.as_ref().and_then(|status| status.policy.clone()) else {
        return Err(Failure::Refused(format!("no policy manages {}, so nothing would act", person.name_any())));
    };
    let (operation, word, what) = match options.freeze {
        true => (
            Operation::Freeze,
            "freeze",
            "What they would change in the cluster is refused until the Revocation is rejected or deleted",
        ),
        false => (
            Operation::Cut,
            "cut",
            "Their bindings and tokens are revoked; they stay employed, and get new ones by hand",
        ),
    };
    options.whom.asked.confirm(format!("{what}, within the limits of the policy. Go on?"))?;
    let by = whoami(client.clone()).await?;
    let now = calls::now();
    let revocation = Revocation {
        metadata: ObjectMeta {
            name: Some(format!("{}-adhoc-{word}", termination_id(&person.name_any(), now))),
            labels: Some([(names::PERSON.to_owned(), person.name_any())].into()),
            ..ObjectMeta::default()
        },
        spec: RevocationSpec {
            person: person.name_any(),
            person_uid: person.uid().unwrap_or_default(),
            policy,
            trigger: Trigger::AdHoc,
            operation,
            due: now,
            late: false,
            owned: Vec::new(),
            reason: options.reason.clone(),
            by: Some(by),
            approval: None,
            second_approval: None,
            rejection: None,
        },
        status: None,
    };
    let api: Api<Revocation> = Api::namespaced(client, options.whom.cluster.namespace());
    let made = ask("create the Revocation", api.create(&PostParams::default(), &revocation)).await?;
    say(&format!("{} waits for its gates. See: kubectl rollcall why {}", made.name_any(), person.name_any()));
    Ok(())
}
