//! Options that many decisions share: about whom, and whether it is asked before anything is written.

use clap::Args;

use super::Failure;
use super::cluster::Cluster;
use super::terminal;

/// Whether it is asked first.
#[derive(Clone, Copy, Debug, Args)]
pub struct Asked {
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
}

impl Asked {
    /// Asks, unless the answer was given with the command; anything but `yes` is no.
    ///
    /// # Errors
    /// When the answer is no, or nobody can be asked.
    pub fn confirm(self, question: impl AsRef<str>) -> Result<(), Failure> {
        if self.yes { Ok(()) } else { terminal::confirm(question.as_ref()) }
    }
}

/// A Person about whom something is decided.
#[derive(Debug, Args)]
pub struct Whom {
    /// The Person: its name, an HR record (`hq/7` or `id:hq/7`), an address, or a user name
    pub person: String,
    #[command(flatten)]
    pub asked: Asked,
    #[command(flatten)]
    pub cluster: Cluster,
}

/// A Revocation, those of a Person, or a batch, about which something is decided.
#[derive(Debug, Args)]
pub struct Which {
    /// Name of the Revocation, or of the Person whose Revocations wait; the rest of their batch goes on waiting
    #[arg(required_unless_present = "batch", conflicts_with = "batch")]
    pub name: Option<String>,
    /// Every Revocation of this batch, each by its own plan
    #[arg(long)]
    pub batch: Option<String>,
    #[command(flatten)]
    pub asked: Asked,
    #[command(flatten)]
    pub cluster: Cluster,
}
