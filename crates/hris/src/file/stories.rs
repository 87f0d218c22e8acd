//! Files read as a whole: over a real OpenSSH server, over HTTP, and out of their seals.

mod delta;
mod folder;
mod http;
mod login;
mod openpgp;

use std::time::Duration;

use secrecy::SecretString;
use test_sshd::{PASSWORD, Server};

use super::*;
use crate::{Source, look, settle};

const TODAY: Date = Date::constant(2026, 3, 10);
const NEAR: Network = Network { allow_private_addresses: true, authorities: Vec::new(), proxy: None, progress: None };
const LONG: Duration = Duration::from_secs(60);

/// A file with one person for each id.
fn people(ids: impl IntoIterator<Item = u32>) -> String {
    let line = |id| format!("{id},Ada Example,ada{id}@example.com,active\n");
    std::iter::once("employeeId,fullName,email,status\n".to_owned()).chain(ids.into_iter().map(line)).collect()
}

fn password() -> Login {
    Login::Password(SecretString::from(PASSWORD))
}

/// The folder of a server, as `change` describes it; whole at once unless said.
fn source(server: &Server, change: impl FnOnce(&mut SftpFile, &mut Coverage)) -> Source {
    let mut file = SftpFile {
        host: "127.0.0.1".to_owned(),
        port: server.port,
        user: "hr".to_owned(),
        host_keys: vec![server.host_key("host_ed25519")],
        login: password(),
        directory: "out".to_owned(),
        pattern: "people_%Y-%m-%d.csv".to_owned(),
        complete: Complete::Unchanged(1),
        archive: false,
    };
    let mut coverage = Coverage::Everybody;
    change(&mut file, &mut coverage);
    let from = FileFrom::Sftp(Box::new(file));
    Source::File(Box::new(FileSource { from, coverage, seal: None, format: CsvFormat::default() }))
}

/// The ids of an answer, or why there is none.
fn ids(answer: Result<Fetched, Failure>) -> Result<Vec<String>, Failure> {
    match answer? {
        Fetched::New(read) => Ok(read.employees.iter().map(|employee| employee.id.0.clone()).collect()),
        Fetched::Same => Ok(vec!["same".to_owned()]),
        Fetched::Nothing(why) => Ok(vec![format!("nothing: {why}")]),
    }
}

async fn ask(source: &Source, cache: &mut FetchCache) -> Result<Vec<String>, Failure> {
    crate::check(source).unwrap();
    ids(look(source, &NEAR, LONG, TODAY, cache).await)
}

/// Looks, and believes what is new.
async fn believe(source: &Source, cache: &mut FetchCache) -> Result<Vec<String>, Failure> {
    let found = ask(source, cache).await;
    if found.is_ok() {
        cache.believed();
        settle(source, &NEAR, cache).await.unwrap();
    }
    found
}
