//! `rollcall completion` and `rollcall man`; and `kubectl_complete-rollcall`, which kubectl asks when somebody presses tab.
//!
//! kubectl completes a plugin in every shell by an executable of that name: it gets the words so far, and answers with a line for each
//! candidate and a last one that tells the shell what else to do. Here that is this binary under that name.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, Args, Command, CommandFactory, Parser};
use clap_complete::Shell;
use kube::{Client, ResourceExt};

use super::Failure;
use super::Plugin;
use super::cluster::Cluster;
use super::people::{all, record};
use super::terminal::{plain, say};
use crate::api::{HRConnection, Person, Revocation};
use crate::cli::Rollcall;
use crate::kube::named::Api;

/// Longest that a person waits for names after pressing tab.
const PATIENCE: Duration = Duration::from_secs(3);
/// Tells the shell not to offer files.
const NO_FILES: &str = ":4";

/// Options of `rollcall completion`.
#[derive(Debug, Args)]
#[command(
    after_help = "For kubectl, no script is needed: install this binary under the name kubectl_complete-rollcall too."
)]
pub struct Completion {
    /// The shell
    shell: Shell,
}

/// Options of `rollcall man`.
#[derive(Debug, Args)]
pub struct Man {
    /// Write a page for each command into this folder
    #[arg(long)]
    dir: PathBuf,
}

/// Prints the script that completes `rollcall` in a shell.
pub fn completion(options: &Completion) {
    clap_complete::generate(options.shell, &mut Rollcall::command(), "rollcall", &mut std::io::stdout());
}

/// Writes the manual.
///
/// # Errors
/// When a file cannot be written.
pub fn man(options: &Man) -> Result<(), Failure> {
    std::fs::create_dir_all(&options.dir).map_err(|error| Failure::file(&options.dir, error))?;
    clap_mangen::generate_to(Rollcall::command(), &options.dir).map_err(|error| Failure::file(&options.dir, error))
}

/// What may stand at the place of the last word.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    Words(Vec<(String, String)>),
    People,
    Connections,
    ConnectionsAndPeople,
    Revocations,
    Nothing,
}

/// Answers kubectl. Names that cannot be had in time, or at all, are none: nobody reads a failure here.
pub async fn candidates(words: &[String]) {
    let found = match wanted(&Plugin::command(), words) {
        Wanted::Words(words) => words,
        Wanted::Nothing => Vec::new(),
        names => tokio::time::timeout(PATIENCE, listed(&names, words)).await.ok().flatten().unwrap_or_default(),
    };
    let prefix = words.last().map(String::as_str).unwrap_or_default();
    for (word, about) in found.iter().filter(|(word, _)| word.starts_with(prefix)) {
        say(&format!("{}\t{}", plain(word), plain(about)));
    }
    say(NO_FILES);
}

/// What may stand there, by the commands and their arguments.
fn wanted(plugin: &Command, words: &[String]) -> Wanted {
    let Some((last, before)) = words.split_last() else { return Wanted::Nothing };
    let (mut command, mut given, mut value_of) = (plugin, 0, None::<&Arg>);
    for word in before {
        if value_of.take().is_some() {
            continue;
        }
        if let Some(flag) = option(command, word) {
            value_of = Some(flag).filter(|flag| flag.get_action().takes_values() && !word.contains('='));
        } else if let Some(sub) = command.find_subcommand(word) {
            (command, given) = (sub, 0);
        } else {
            given += 1;
        }
    }
    if let Some(flag) = value_of {
        return values(flag);
    }
    if last.starts_with('-') {
        let flags = command.get_arguments().filter(|flag| !flag.is_hide_set());
        let named = |flag: &Arg| Some((format!("--{}", flag.get_long()?), about(flag.get_help())));
        return Wanted::Words(flags.filter_map(named).collect());
    }
    if command.has_subcommands() {
        let shown = command.get_subcommands().filter(|sub| !sub.is_hide_set());
        return Wanted::Words(shown.map(|sub| (sub.get_name().to_owned(), about(sub.get_about()))).collect());
    }
    command.get_positionals().nth(given).map_or(Wanted::Nothing, values)
}

fn option<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let name = word.split('=').next().unwrap_or(word);
    let is_it = |flag: &&Arg| {
        let long = flag.get_long().is_some_and(|long| name.strip_prefix("--") == Some(long));
        long || flag.get_short().is_some_and(|short| name == format!("-{short}"))
    };
    command.get_arguments().find(is_it)
}

/// What an argument takes.
fn values(argument: &Arg) -> Wanted {
    let possible = argument.get_possible_values();
    if !possible.is_empty() {
        return Wanted::Words(possible.iter().map(|one| (one.get_name().to_owned(), about(one.get_help()))).collect());
    }
    match argument.get_id().as_str() {
        "person" | "other" => Wanted::People,
        "connection" => Wanted::Connections,
        "connection_or_person" => Wanted::ConnectionsAndPeople,
        "revocation" | "name" => Wanted::Revocations,
        _ => Wanted::Nothing,
    }
}

fn about(text: Option<&clap::builder::StyledStr>) -> String {
    text.map(|text| text.to_string().lines().next().unwrap_or_default().to_owned()).unwrap_or_default()
}

/// The cluster that the words so far name.
#[derive(Debug, Parser)]
#[command(disable_help_flag = true)]
struct Named {
    #[command(flatten)]
    cluster: Cluster,
}

fn cluster(words: &[String]) -> Option<Cluster> {
    let ours = Named::command();
    let mut named = vec!["rollcall".to_owned()];
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let Some(flag) = option(&ours, word) else { continue };
        named.push(word.clone());
        if flag.get_action().takes_values() && !word.contains('=') {
            named.extend(words.next().cloned());
        }
    }
    Named::try_parse_from(named).ok().map(|named| named.cluster)
}

/// Names of what is there, with a few words each. HR ids stand for people: a terminal is no place for names that nobody asked for.
async fn listed(wanted: &Wanted, words: &[String]) -> Option<Vec<(String, String)>> {
    let cluster = cluster(words)?;
    let (client, namespace) = (cluster.client().await.ok()?, cluster.namespace());
    let found = match wanted {
        Wanted::People => people(&client, namespace).await?,
        Wanted::Connections => connections(&client, namespace).await?,
        Wanted::ConnectionsAndPeople => {
            let (connections, people) = futures::join!(connections(&client, namespace), people(&client, namespace));
            connections.into_iter().chain(people).flatten().collect()
        }
        Wanted::Revocations => {
            let all: Vec<Revocation> =
                all("list the Revocations", Api::namespaced(client, namespace), "").await.ok()?;
            let phase = |one: &Revocation| one.status.as_ref()?.phase.map(|phase| phase.as_str().to_owned());
            all.iter().map(|one| (one.name_any(), phase(one).unwrap_or_default())).collect()
        }
        Wanted::Words(_) | Wanted::Nothing => Vec::new(),
    };
    Some(found)
}

async fn people(client: &Client, namespace: &str) -> Option<Vec<(String, String)>> {
    let people: Vec<Person> = all("list the Persons", Api::namespaced(client.clone(), namespace), "").await.ok()?;
    let state = |person: &Person| person.status.as_ref()?.employment.as_ref().map(|one| one.state.as_str().to_owned());
    let named = |person: &Person| {
        let state = state(person).unwrap_or_default();
        person.spec.records.iter().map(|one| (record(one), state.clone())).collect::<Vec<_>>()
    };
    Some(people.iter().flat_map(named).collect())
}

async fn connections(client: &Client, namespace: &str) -> Option<Vec<(String, String)>> {
    let all: Vec<HRConnection> =
        all("list the HRConnections", Api::namespaced(client.clone(), namespace), "").await.ok()?;
    Some(all.iter().map(|one| (one.name_any(), String::new())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Wanted {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        wanted(&Plugin::command(), &words)
    }

    #[test]
    fn what_may_stand_there_follows_from_the_words_before() {
        for (line, expected) in [
            ("why ", Wanted::People),
            ("why hq/", Wanted::People),
            ("merge hq/1 ", Wanted::People),
            ("why -n people ", Wanted::People),
            ("hold ", Wanted::People),
            ("disown ", Wanted::People),
            ("disown hq/1 ", Wanted::Nothing),
            ("approve ", Wanted::Revocations),
            ("status ", Wanted::ConnectionsAndPeople),
            ("coverage --of ", Wanted::Nothing),
            ("accept ", Wanted::Connections),
            ("suspend --reason why ", Wanted::Connections),
            ("accept hq ", Wanted::Nothing),
            ("accept --response ", Wanted::Nothing),
        ] {
            assert_eq!(asked(line), expected, "{line}");
        }
        let words = |line: &str| match asked(line) {
            Wanted::Words(words) => words.into_iter().map(|(word, _)| word).collect(),
            other => vec![format!("{other:?}")],
        };
        assert!(words("ap").contains(&"approve".to_owned()), "all commands, and the shell's prefix picks");
        assert!(words("evidence ").contains(&"verify".to_owned()));
        assert!(words("why --").contains(&"--unmask".to_owned()));
        assert!(words("people -o ").contains(&"yaml".to_owned()));
    }

    #[test]
    fn the_cluster_is_the_one_that_the_words_name() {
        let words: Vec<_> = "why -n people --context test hq/7".split(' ').map(str::to_owned).collect();
        assert_eq!(cluster(&words).unwrap().namespace(), "people");
    }

    #[test]
    fn there_is_a_page_for_each_command() {
        let dir = std::env::temp_dir().join(format!("rollcall-man-{}", std::process::id()));
        man(&Man { dir: dir.clone() }).unwrap();
        let there = |name: &str| std::fs::read_to_string(dir.join(name)).is_ok_and(|page| page.contains(".TH"));
        assert!(there("rollcall.1") && there("rollcall-why.1"), "{dir:?}");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
