//! `rollcall plan`: what would happen to somebody's access if they left now, on any day, before anybody left.
//!
//! Read with the caller's own rights, drawn by the planner that control draws by, and never written anywhere. What a plan
//! cannot end is listed with it: the answer is what a leaver keeps, and not only what they lose.

mod beyond;
mod certificates;
mod forecast;
mod gates;
mod print;
mod seen;
mod sessions;

use std::path::{Path, PathBuf};

use clap::Args;
use kube::ResourceExt;

use super::{READING, World, find};
use crate::api::{Person, SyncPolicy};
use crate::cli::Failure;
use crate::cli::cluster::Cluster;
use crate::cli::plugin::grants;
use crate::cli::plugin::output::Output;
use crate::cli::plugin::progress::during;
use crate::kube::calls;

/// Options of `rollcall plan`.
#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is changed. It needs list on serviceaccounts, rolebindings and clusterrolebindings in all namespaces; what else you may not read is named under NOTES."
)]
pub struct Options {
    /// The Person: its name, an HR record (`hq/7` or `id:hq/7`), an address, or a user name
    person: String,
    /// A SyncPolicy as a file, in place of the Person's: to see what a change would do
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    cluster: Cluster,
}

/// Prints the forecast.
///
/// # Flow          read everything once; find the Person and the policy; draw both plans; ask the gates; print
/// # Guarantees    changes nothing; of several Persons that may be meant, none is chosen; no Secret's contents are read
/// # Errors        nobody, or several, are meant; no policy would act; whatever the API server says, in its words
pub async fn run(options: &Options) -> Result<(), Failure> {
    let client = options.cluster.client().await?;
    let namespace = options.cluster.namespace();
    let world = during(READING, World::read(&client, namespace)).await?;
    let person = find(&world.people, &options.person)?;
    let (policy, changed) = policy(&world, person, options.policy.as_deref())?;
    let mut seen = during(READING, seen::everything(&client, namespace, &world.people, person)).await?;
    seen.ask(&client, namespace, &policy, &world.people, person).await;
    sessions::look(&mut seen, &client, &policy, person).await?;
    let view = forecast::View {
        person,
        policy: &policy,
        changed,
        revocations: &world.revocations_of(person),
        seen: &seen,
        now: calls::now(),
    };
    let forecast = forecast::of(&view);
    options.output.print(&forecast, || Ok(print::page(&forecast)))
}

/// The policy that decides about the person, or the one of the file; and whether that is another one than stands.
fn policy(world: &World, person: &Person, file: Option<&Path>) -> Result<(SyncPolicy, bool), Failure> {
    let managed = person.status.as_ref().and_then(|status| status.policy.as_deref());
    match (file, managed) {
        (Some(path), _) => {
            let policy = grants::changed(&world.policies, path)?;
            let stands = world.policy(&policy.name_any());
            let changed = stands.is_none_or(|stands| stands.spec != policy.spec);
            Ok((policy, changed))
        }
        (None, Some(name)) => match world.policy(name) {
            Some(policy) => Ok((policy.clone(), false)),
            None => Err(Failure::Refused(format!("SyncPolicy {name}, which managed {}, is gone", person.name_any()))),
        },
        (None, None) => Err(Failure::Refused(format!(
            "no policy manages {}, so nothing would act; --policy FILE shows what a policy would do",
            person.name_any()
        ))),
    }
}
