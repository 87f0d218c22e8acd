//! The files of a folder as answers: the newest one that lists everybody, or all that say what changed, in their order.

use std::collections::HashSet;

use data_encoding::HEXLOWER;
use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::completeness::{self, Complete, Delivery, after, moved, newest};
use super::fetch_cache::{FetchCache, LastOutcome, Move};
use super::name::{CHECKSUM, Pattern};
use super::sftp::{Folder, Unread};
use super::ssh::{self, Way};
use super::{Coverage, Fetched, FileSource, SftpFile, delivered};
use crate::{Network, csv};
use domain::employee::{Failure, HrId, Read};

/// Where files go that were believed, or overtaken by a newer one.
const PROCESSED: &str = "processed";
/// Where files go that cannot be read.
const FAILED: &str = "failed";
/// Most files of changes that are read together: the newest. What older ones said stands on the Persons.
const MAX_CHANGES: usize = 100;

/// Looks into the folder, and reads what is new.
///
/// # Errors
/// See `Failure`.
pub(super) async fn look(
    source: &FileSource,
    file: &SftpFile,
    network: &Network,
    as_of: Date,
    cache: &mut FetchCache,
) -> Result<Fetched, Failure> {
    let pattern = Pattern::parse(&file.pattern).map_err(Failure::Missing)?;
    let folder = Folder::open(&way(file, network)?, &file.directory).await?;
    let mut visit = Visit { source, file, folder: &folder, pattern, as_of, cache };
    let answer = match source.coverage {
        Coverage::Everybody => visit.everybody().await,
        Coverage::Changes => visit.changes().await,
    };
    folder.close().await;
    answer
}

/// Moves away what is to be moved. What could not be moved stays to be moved.
///
/// # Errors
/// See `Failure`.
pub(super) async fn settle(file: &SftpFile, network: &Network, cache: &mut FetchCache) -> Result<(), Failure> {
    let folder = Folder::open(&way(file, network)?, &file.directory).await?;
    let mut done = Ok(());
    while let (Ok(()), Some(next)) = (&done, cache.moves.last().cloned()) {
        done = shift(&folder, &file.complete, &next, PROCESSED).await;
        if done.is_ok() {
            cache.moves.pop();
        }
    }
    folder.close().await;
    done
}

fn way<'a>(file: &'a SftpFile, network: &Network) -> Result<Way<'a>, Failure> {
    let pins: Result<Vec<_>, String> = file.host_keys.iter().map(|key| ssh::pin(key)).collect();
    let pins = pins.map_err(Failure::Missing)?;
    let SftpFile { host, port, user, login, .. } = file;
    Ok(Way { host, port: *port, user, pins, login, private: network.allow_private_addresses })
}

/// Moves a file, and before it what is next to it: a marker that outlived its file would pass for one of the next.
async fn shift(folder: &Folder<'_>, complete: &Complete, file: &Move, to: &str) -> Result<(), Failure> {
    let beside = complete.beside().filter(|_| file.folder.is_empty()).map(|ending| format!("{}{ending}", file.name));
    for name in beside.iter().chain([&file.name]) {
        let own = completeness::before(name).filter(|_| !file.folder.is_empty()).unwrap_or(name);
        match folder.shift((file.folder, name), to, |again| after(own, &file.digest, again)).await {
            Err(Failure::Missing(_)) => {} // somebody else moved or removed it
            other => other?,
        }
    }
    Ok(())
}

fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

/// One look into the folder.
struct Visit<'a> {
    source: &'a FileSource,
    file: &'a SftpFile,
    folder: &'a Folder<'a>,
    pattern: Pattern,
    as_of: Date,
    cache: &'a mut FetchCache,
}

impl Visit<'_> {
    /// The newest file. The others that wait with it are overtaken.
    async fn everybody(&mut self) -> Result<Fetched, Failure> {
        let (mut files, nothing) = self.waiting().await?;
        if self.cache.last.is_none() {
            // After a start the last answer is read again, wherever it lies by now.
            files.extend(self.moved(PROCESSED).await?);
            files.extend(self.moved(FAILED).await?);
        }
        let Some(file) = newest(&files).map_err(one_newest)?.cloned() else { return self.cache.nothing(nothing) };
        if self.cache.knows(std::slice::from_ref(&file)) {
            return self.cache.nothing("no file came since the one that was read last".to_owned());
        }
        let Some(bytes) = self.bytes(&file, csv::LARGEST).await? else { return self.cache.nothing(changed()) };
        let digest = sha256(&bytes);
        let this = Move { folder: file.folder, name: file.name.clone(), digest };
        match self.source.parse(bytes, self.as_of).await {
            Ok(mut read) => {
                let signed = read.delivered.signed;
                read.delivered = delivered(file.dated, file.modified);
                read.delivered.signed = signed;
                let older = |other: &&Delivery| file.folder.is_empty() && other.folder.is_empty() && **other != file;
                self.moves(files.iter().filter(older).map(unread).chain([this]));
                self.cache.read(vec![file], LastOutcome::Open);
                Ok(Fetched::New(Box::new(read)))
            }
            Err(failure) => {
                if self.file.archive && file.folder.is_empty() {
                    // Where it cannot be moved it stays, and is as little read as it would be there.
                    let _ = shift(self.folder, &self.file.complete, &this, FAILED).await;
                }
                self.cache.read(vec![file], LastOutcome::Failed(failure.clone()));
                Err(failure)
            }
        }
    }

    /// All files of changes, the oldest first: what a newer one says of somebody stands instead of what an older one
    /// said. Reading them together makes their order the only thing that counts: none is lost by a crash between two.
    async fn changes(&mut self) -> Result<Fetched, Failure> {
        let (waiting, nothing) = self.waiting().await?;
        let dates: HashSet<_> = waiting.iter().map(|file| file.dated).collect();
        if dates.len() < waiting.len() {
            return Err(one_newest("several files have the same date in their names".to_owned()));
        }
        let mut files = self.moved(PROCESSED).await?;
        files.extend(waiting);
        files.sort_by_key(|file| (file.dated, file.folder.is_empty(), file.modified));
        files.drain(..files.len().saturating_sub(MAX_CHANGES));
        if files.is_empty() {
            return self.cache.nothing(nothing);
        }
        if self.cache.knows(&files) {
            return self.cache.nothing("no file came since those that were read last".to_owned());
        }
        let mut all = Read::default();
        let (mut moves, mut left) = (Vec::new(), csv::LARGEST);
        for file in &files {
            let Some(bytes) = self.bytes(file, left).await? else { return self.cache.nothing(changed()) };
            left = left.saturating_sub(bytes.len());
            let digest = sha256(&bytes);
            let read = match self.source.parse(bytes, self.as_of).await {
                Ok(read) => read,
                Err(failure) => {
                    self.cache.read(files, LastOutcome::Failed(failure.clone()));
                    return Err(failure);
                }
            };
            over(&mut all, read, file);
            moves.push(Move { folder: file.folder, name: file.name.clone(), digest });
        }
        self.moves(moves.into_iter());
        self.cache.read(files, LastOutcome::Open);
        Ok(Fetched::New(Box::new(all)))
    }

    /// What waits in the folder, and what to say if that is nothing.
    async fn waiting(&mut self) -> Result<(Vec<Delivery>, String), Failure> {
        let listing = self.folder.list("").await?;
        let complete = match &self.file.complete {
            Complete::Unchanged(_) if self.cache.once => &Complete::Unchanged(1),
            complete => complete,
        };
        let found = completeness::look(&listing, &self.pattern, complete, &mut self.cache.sightings);
        let nothing = match found.why {
            None => "no file of the name path.pattern waits in the folder".to_owned(),
            Some(why) => format!("{} files are not known to be whole; of the last, {why}", found.unfinished),
        };
        Ok((found.whole, nothing))
    }

    /// The files that were moved to a folder below, which need not be there.
    async fn moved(&self, folder: &'static str) -> Result<Vec<Delivery>, Failure> {
        if !self.file.archive {
            return Ok(Vec::new());
        }
        match self.folder.list(folder).await {
            Ok(listing) => Ok(moved(folder, &listing, &self.pattern, &self.file.complete)),
            Err(Failure::Missing(_)) => Ok(Vec::new()),
            Err(failure) => Err(failure),
        }
    }

    /// The bytes of a file, or none where it changed since it was listed.
    async fn bytes(&mut self, file: &Delivery, largest: usize) -> Result<Option<Vec<u8>>, Failure> {
        let bytes = match self.folder.read(file, largest).await {
            Ok(bytes) => bytes,
            Err(Unread::Failed(failure)) => return Err(failure),
            Err(Unread::Changed) => {
                self.cache.sightings.remove(&file.name);
                return Ok(None);
            }
        };
        if self.file.complete == Complete::Checksum && file.folder.is_empty() {
            self.compare(file, &bytes).await?;
        }
        Ok(Some(bytes))
    }

    /// Compares a file with the checksum next to it.
    async fn compare(&self, file: &Delivery, bytes: &[u8]) -> Result<(), Failure> {
        let said = self.folder.beside(&format!("{}{CHECKSUM}", file.name)).await?;
        let said = said.split_ascii_whitespace().next().unwrap_or_default().to_ascii_lowercase();
        if said == sha256(bytes) {
            return Ok(());
        }
        Err(Failure::Truncated("it is not the file its checksum file was made of".to_owned()))
    }

    fn moves(&mut self, files: impl Iterator<Item = Move>) {
        let away = |file: &Move| self.file.archive && file.folder != PROCESSED;
        self.cache.moves = files.filter(away).collect();
    }
}

/// A file that is moved away without having been read.
fn unread(file: &Delivery) -> Move {
    let Delivery { folder, name, size, modified, .. } = file;
    Move { folder, name: name.clone(), digest: sha256(format!("{name}\0{size}\0{modified}").as_bytes()) }
}

fn changed() -> String {
    "the file changed while it was read".to_owned()
}

fn one_newest(why: String) -> Failure {
    Failure::Missing(format!("one newest file: {why}"))
}

/// Lays what a newer file says over what older ones said.
fn over(all: &mut Read, newer: Read, file: &Delivery) {
    let named: HashSet<&HrId> = newer.employees.iter().map(|employee| &employee.id).collect();
    all.employees.retain(|employee| !named.contains(&employee.id));
    let signed = newer.delivered.signed;
    all.employees.extend(newer.employees);
    all.bad.extend(newer.bad);
    all.offered.extend(newer.offered);
    for (word, people) in newer.unmapped {
        let all: &mut u32 = all.unmapped.entry(word).or_default();
        *all = all.saturating_add(people);
    }
    all.remarks = newer.remarks;
    all.part = true;
    all.delivered = delivered(file.dated, file.modified);
    all.delivered.signed = signed;
}
