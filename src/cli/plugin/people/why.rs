//! `rollcall why`: why somebody is in the state they are in, what happens next and when, and what to do about it.

use clap::Args;

use super::answer::decide;
use super::{World, find, owned, words};
use crate::cli::Failure;
use crate::cli::cluster::Cluster;
use crate::cli::terminal::say;
use crate::kube::calls;

/// Options of `rollcall why`.
#[derive(Debug, Args)]
pub struct Options {
    /// The Person: its name, an HR record (`hq/7` or `id:hq/7`), an address, or a user name
    person: String,
    /// Show name and address
    #[arg(long)]
    unmask: bool,
    #[command(flatten)]
    cluster: Cluster,
}

/// Prints the answer.
///
/// # Flow          read everything once; find the Person; decide; print
/// # Guarantees    changes nothing; of several Persons that may be meant, none is chosen
/// # Errors        nobody, or several, are meant; whatever the API server says, in its words
pub async fn run(options: &Options) -> Result<(), Failure> {
    about(&options.cluster, &options.person, options.unmask).await
}

/// See [`run`].
pub async fn about(cluster: &Cluster, person: &str, unmask: bool) -> Result<(), Failure> {
    let client = cluster.client().await?;
    let world = World::read(&client, cluster.namespace()).await?;
    let person = find(&world.people, person)?;
    let owned = owned::of(&client, &world.people, person).await?;
    say(&words::answer(&decide(&world, person, owned, calls::now()), unmask));
    Ok(())
}
