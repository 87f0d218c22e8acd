//! `rollcall why`: why somebody is in the state they are in, what happens next and when, and what to do about it.

use clap::Args;

use super::answer::decide;
use super::facts::Facts;
use super::{READING, World, find, owned, words};
use crate::cli::Failure;
use crate::cli::cluster::Cluster;
use crate::cli::plugin::output::Output;
use crate::cli::plugin::progress::during;
use crate::kube::calls;

/// Options of `rollcall why`.
#[derive(Debug, Args)]
pub struct Options {
    /// The Person: its name, an HR record (`hq/7` or `id:hq/7`), an address, or a user name
    person: String,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
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
    let client = options.cluster.client().await?;
    let world = during(READING, World::read(&client, options.cluster.namespace())).await?;
    about(&client, &world, &options.person, options.unmask, options.output).await
}

/// The answer about somebody of a world that was read. See [`run`].
pub async fn about(
    client: &kube::Client,
    world: &World,
    person: &str,
    unmask: bool,
    output: Output,
) -> Result<(), Failure> {
    let person = find(&world.people, person)?;
    let owned = during(READING, owned::of(client, &world.people, person)).await?;
    let answer = decide(world, person, owned, calls::now());
    output.print(&Facts::of(&answer, unmask), || Ok(words::answer(&answer, unmask)))
}
