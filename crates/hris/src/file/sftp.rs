//! A folder on an SFTP server: listing, reading whole files, moving them. Bounded in entries, bytes and names.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{FileAttributes, FileType, OpenFlags, StatusCode};

use super::completeness::{Delivery, ListedFile};
use super::ssh::{Ssh, Way};
use domain::employee::Failure;

/// Most entries of a folder that are looked at.
const MAX_ENTRIES: usize = 10_000;
/// Bytes asked for at once; every server gives as much.
const PIECE: u32 = 32 * 1024;
/// Most bytes of a small file.
const SMALL: u32 = 4096;
/// Pieces asked for at the same time, so that a distant server is not waited for piece by piece.
const AT_ONCE: usize = 16;
/// Longest wait for one answer of the server.
const ANSWER: u64 = 60;
/// How often a name is tried that may be taken.
const NAMES: u32 = 8;

/// A folder that is open.
pub(super) struct Folder<'a> {
    ssh: Ssh,
    session: RawSftpSession,
    host: &'a str,
    directory: &'a str,
}

/// How a file was not read.
pub(super) enum Unread {
    /// It is not what it was when it was listed: somebody writes it.
    Changed,
    /// Anything else.
    Failed(Failure),
}

impl<'a> Folder<'a> {
    /// Connects, signs in and starts SFTP.
    ///
    /// # Errors
    /// See `Failure`.
    pub(super) async fn open(way: &Way<'a>, directory: &'a str) -> Result<Self, Failure> {
        let ssh = Ssh::connect(way).await?;
        let session = RawSftpSession::new(ssh.sftp(way.host).await?);
        session.set_timeout(ANSWER);
        let folder = Self { ssh, session, host: way.host, directory };
        folder.session.init().await.map_err(|error| folder.failed(&error))?;
        Ok(folder)
    }

    /// Ends the connection.
    pub(super) async fn close(self) {
        self.ssh.close().await;
    }

    fn path(&self, below: &str, name: &str) -> String {
        let folders = [self.directory.trim_end_matches('/'), below, name];
        let parts: Vec<&str> = folders.into_iter().filter(|part| !part.is_empty()).collect();
        let path = parts.join("/");
        if self.directory.starts_with('/') && !path.starts_with('/') { format!("/{path}") } else { path }
    }

    /// The regular files of the folder, or of one below it. Links are none: they may lead out of it.
    ///
    /// # Errors
    /// `Missing`, `Forbidden`, `TooLarge`, `Unreachable`.
    pub(super) async fn list(&self, below: &str) -> Result<Vec<ListedFile>, Failure> {
        let path = self.path(below, "");
        let path = if path.is_empty() { ".".to_owned() } else { path };
        let handle = self.session.opendir(path).await.map_err(|error| self.failed(&error))?.handle;
        let mut entries = Vec::new();
        let mut seen = 0;
        let ended = loop {
            match self.session.readdir(handle.as_str()).await {
                Ok(names) => {
                    seen += names.files.len().max(1); // an empty answer, over and over, ends as well
                    entries.extend(names.files.into_iter().filter_map(|file| entry(file.filename, &file.attrs)));
                    if seen > MAX_ENTRIES {
                        break Err(Failure::TooLarge);
                    }
                }
                Err(Error::Status(status)) if status.status_code == StatusCode::Eof => break Ok(entries),
                Err(error) => break Err(self.failed(&error)),
            }
        };
        let _ = self.session.close(handle).await;
        ended
    }

    /// The whole of a file, if it is still the one that was listed, before and after.
    ///
    /// # Errors
    /// See `Unread`.
    pub(super) async fn read(&self, file: &Delivery, largest: usize) -> Result<Vec<u8>, Unread> {
        let failed = |error: Error| Unread::Failed(self.failed(&error));
        let size = usize::try_from(file.size).ok().filter(|size| *size <= largest);
        let size = size.ok_or(Unread::Failed(Failure::TooLarge))?;
        let path = self.path(file.folder, &file.name);
        let open = self.session.open(path.as_str(), OpenFlags::READ, FileAttributes::empty()).await;
        let handle = match open {
            Ok(open) => open.handle,
            Err(Error::Status(status)) if status.status_code == StatusCode::NoSuchFile => return Err(Unread::Changed),
            Err(error) => return Err(failed(error)),
        };
        let bytes = self.pieces(&handle, size).await;
        let still = self.session.stat(path).await;
        let _ = self.session.close(handle).await;
        let bytes = bytes.map_err(failed)?;
        let same = match still {
            Ok(still) => entry(file.name.clone(), &still.attrs)
                .is_some_and(|still| (still.size, still.modified) == (file.size, file.modified)),
            Err(Error::Status(status)) if status.status_code == StatusCode::NoSuchFile => false,
            Err(error) => return Err(failed(error)),
        };
        if same && bytes.len() == size { Ok(bytes) } else { Err(Unread::Changed) }
    }

    async fn pieces(&self, handle: &str, size: usize) -> Result<Vec<u8>, Error> {
        let pieces = stream::iter((0..size as u64).step_by(PIECE as usize));
        let pieces = pieces.map(|offset| self.piece(handle, offset, (size as u64).min(offset + u64::from(PIECE))));
        pieces.buffered(AT_ONCE).try_concat().await
    }

    /// From one place to another, or less at the end of the file. A server may give less than it was asked for.
    async fn piece(&self, handle: &str, from: u64, to: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while from + (bytes.len() as u64) < to {
            let at = from + bytes.len() as u64;
            let wanted = u32::try_from(to - at).unwrap_or(PIECE);
            match self.session.read(handle, at, wanted).await {
                Ok(data) if data.data.is_empty() || data.data.len() > wanted as usize => break,
                Ok(data) => bytes.extend_from_slice(&data.data),
                Err(Error::Status(status)) if status.status_code == StatusCode::Eof => break,
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    }

    /// The text of a small file that lies next to another.
    ///
    /// # Errors
    /// See `Failure`.
    pub(super) async fn beside(&self, name: &str) -> Result<String, Failure> {
        let failed = |error: Error| self.failed(&error);
        let path = self.path("", name);
        let open = self.session.open(path, OpenFlags::READ, FileAttributes::empty()).await.map_err(failed)?;
        let bytes = self.piece(&open.handle, 0, u64::from(SMALL)).await;
        let _ = self.session.close(open.handle).await;
        Ok(String::from_utf8_lossy(&bytes.map_err(failed)?).into_owned())
    }

    /// Moves a file to a folder below, under the first of `names` that is not taken. SFTP 3 never writes over a file
    /// when it renames, but says no more than that it failed.
    ///
    /// # Errors
    /// `Forbidden` for an account that may only read; else see `Failure`.
    pub(super) async fn shift(
        &self,
        (below, name): (&str, &str),
        to: &str,
        names: impl Fn(u32) -> String,
    ) -> Result<(), Failure> {
        let from = self.path(below, name);
        let mut last = Failure::Forbidden;
        for again in 0..NAMES {
            match self.session.rename(from.as_str(), self.path(to, &names(again))).await {
                Ok(_) => return Ok(()),
                Err(Error::Status(status)) if status.status_code == StatusCode::NoSuchFile && again == 0 => {
                    let made = self.session.mkdir(self.path(to, ""), FileAttributes::empty()).await;
                    made.map_err(|error| self.failed(&error))?;
                }
                Err(Error::Status(status)) if status.status_code == StatusCode::Failure => {
                    last = Failure::Unreachable(format!("{} could not move the file", self.host));
                }
                Err(error) => return Err(self.failed(&error)),
            }
        }
        Err(last)
    }

    fn failed(&self, error: &Error) -> Failure {
        let Error::Status(status) = error else {
            return match error {
                Error::Timeout => Failure::TimedOut,
                _ => Failure::Unreachable(format!("the SFTP connection to {} was lost", self.host)),
            };
        };
        match status.status_code {
            StatusCode::NoSuchFile => Failure::Missing("the folder of path.directory, or the file in it".to_owned()),
            StatusCode::PermissionDenied => Failure::Forbidden,
            _ => Failure::Unreachable(format!("{} could not do what SFTP asks of it", self.host)),
        }
    }
}

/// An entry that is a regular file, as far as the server says.
fn entry(name: String, attributes: &FileAttributes) -> Option<ListedFile> {
    let kind = attributes.permissions.map(FileType::from);
    let regular = kind.is_none_or(|kind| kind.is_file());
    let (size, modified) = (attributes.size?, attributes.mtime.unwrap_or_default());
    (regular && !name.contains(['/', '\0'])).then_some(ListedFile { name, size, modified })
}
