//! A real OpenSSH server for one test: keys, users, folder and port of its own, in a mount namespace of its own, so that
//! the machine's users and files stay as they are.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail where they stand")]

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

/// Of the two users, and of nobody real.
pub const PASSWORD: &str = "correct horse battery staple";
/// `PASSWORD`, as the server compares it (SHA-512 crypt).
const SHADOW: &str =
    "$6$rollcalltests$7H6Jrs8meNPwT/NTqSb8VfS5b3CMTlqi1jcPh5deGOQGMQfaelHv.oGhDfGG2HgiChrpZMSBtoE16WJMxyi/f.";
/// What the locked key opens with.
pub const PASSPHRASE: &str = "a phrase of the test";
/// Noon of 10 March 2026, in seconds since 1970: now, as far as the files go.
const NOON: u64 = 1_773_144_000;
/// Uid and gid of both users.
const OWNER: u32 = 42_042;

/// A server that runs until it is dropped.
pub struct Server {
    dir: PathBuf,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    child: Child,
}

impl Server {
    /// Starts one. Needs root, since a server that knows passwords does.
    ///
    /// # Panics
    /// Where it cannot be started: not root, or no OpenSSH can be installed.
    #[must_use]
    pub fn start() -> Self {
        static READY: OnceLock<PathBuf> = OnceLock::new();
        static RSA: OnceLock<[Vec<u8>; 2]> = OnceLock::new(); // one for all, since it takes long to make
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let sshd = READY.get_or_init(sshd);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("rollcall-sshd-{}-{number}", std::process::id()));
        let folder = dir.join("home/out");
        fs::create_dir_all(&folder).unwrap();
        for path in [&dir, &dir.join("home")] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        chown(&folder, Some(OWNER), Some(OWNER)).unwrap();
        for (name, kind) in [("host_ed25519", "ed25519"), ("ed25519", "ed25519")] {
            keygen(&dir.join(name), kind, "");
        }
        let rsa = RSA.get_or_init(|| {
            let path = dir.join("rsa");
            keygen(&path, "rsa", "");
            [fs::read(&path).unwrap(), fs::read(path.with_extension("pub")).unwrap()]
        });
        for name in ["rsa", "host_rsa"] {
            write_key(&dir.join(name), rsa);
        }
        keygen(&dir.join("locked"), "ed25519", PASSPHRASE);
        let known =
            ["ed25519", "rsa", "locked"].map(|name| fs::read_to_string(dir.join(name).with_extension("pub")).unwrap());
        fs::write(dir.join("authorized_keys"), known.concat()).unwrap();
        let home = dir.join("home").display().to_string();
        let user = |name: &str| format!("{name}:x:{OWNER}:{OWNER}::{home}:/bin/sh\n");
        fs::write(
            dir.join("passwd"),
            format!(
                "root:x:0:0::/root:/bin/sh\nsshd:x:42041:42041::/run/sshd:/bin/false\n{}{}",
                user("hr"),
                user("reader")
            ),
        )
        .unwrap();
        fs::write(dir.join("group"), format!("root:x:0:\nsshd:x:42041:\nhr:x:{OWNER}:\n")).unwrap();
        fs::write(
            dir.join("shadow"),
            format!("root:*:1::::::\nsshd:*:1::::::\nhr:{SHADOW}:1::::::\nreader:{SHADOW}:1::::::\n"),
        )
        .unwrap();
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut child = run(sshd, &dir, port);
            if listens(&mut child, port) {
                return Self { dir, port, child };
            }
        }
        panic!("sshd does not start: {}", fs::read_to_string(dir.join("log")).unwrap_or_default());
    }

    /// The folder as it lies on this machine.
    pub fn folder(&self) -> PathBuf {
        self.dir.join("home/out")
    }

    /// Puts a file there, written so many minutes ago.
    pub fn put(&self, name: &str, text: impl AsRef<[u8]>, minutes: u64) -> PathBuf {
        let path = self.folder().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        chown(&path, Some(OWNER), Some(OWNER)).unwrap();
        let written = SystemTime::UNIX_EPOCH + Duration::from_secs(NOON - 60 * minutes);
        fs::File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
        path
    }

    /// Names in the folder, or in one below it, in order.
    pub fn names(&self, below: &str) -> Vec<String> {
        let Ok(listing) = fs::read_dir(self.folder().join(below)) else { return Vec::new() };
        let files = listing.map(Result::unwrap).filter(|entry| entry.file_type().unwrap().is_file());
        let mut names: Vec<String> = files.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A private key, as it stands in its file.
    pub fn key(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap()
    }

    /// A public key of the server, or its fingerprint.
    pub fn host_key(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name).with_extension("pub")).unwrap().trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn write_key(path: &Path, [private, public]: &[Vec<u8>; 2]) {
    fs::write(path, private).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(path.with_extension("pub"), public).unwrap();
}

fn keygen(path: &Path, kind: &str, passphrase: &str) {
    let made = Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", passphrase, "-f"]).arg(path).status();
    assert!(made.unwrap().success(), "ssh-keygen");
}

/// Replaces users in a mount namespace, and itself by the server: the child's id is the server's.
const ENTER: &str = "mount --bind \"$1/passwd\" /etc/passwd && mount --bind \"$1/group\" /etc/group && \
    mount --bind \"$1/shadow\" /etc/shadow && mount -t tmpfs none /run && mkdir -m 755 /run/sshd && \
    exec \"$2\" -D -e -f \"$1/config\"";

fn run(sshd: &Path, dir: &Path, port: u16) -> Child {
    let config = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nPidFile none\nHostKey {d}/host_ed25519\nHostKey {d}/host_rsa\n\
         AuthorizedKeysFile {d}/authorized_keys\nStrictModes no\nUsePAM no\nPasswordAuthentication yes\n\
         KbdInteractiveAuthentication no\nMaxStartups 100\nSubsystem sftp internal-sftp\n\
         AllowUsers hr reader\nForceCommand internal-sftp\nMatch User reader\n    ForceCommand internal-sftp -R\n",
        d = dir.display()
    );
    fs::write(dir.join("config"), config).unwrap();
    let log = fs::File::create(dir.join("log")).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", ENTER, "enter"]).arg(dir).arg(sshd);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

fn listens(child: &mut Child, port: u16) -> bool {
    // The kernel wakes nobody for a port that another process opens; a server that ended is seen at once.
    while child.try_wait().unwrap().is_none() {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

/// The server's program, installed where it is missing.
fn sshd() -> PathBuf {
    let program = PathBuf::from("/usr/sbin/sshd");
    let uid = Command::new("id").arg("-u").output().unwrap().stdout;
    assert_eq!(uid, b"0\n", "a real SSH server needs root: run this test as root");
    install("/usr/sbin/sshd", &["openssh-server", "openssh-client"]);
    program
}

/// Installs a program of Debian's where it is missing.
pub fn install(program: &str, packages: &[&str]) {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let found = Command::new("sh").args(["-c", "command -v \"$1\" >/dev/null", "find", program]).status();
    if found.unwrap().success() {
        return;
    }
    // Where services are run, installing a server would open this machine to the network.
    let serves = Path::new("/run/systemd/system").exists();
    assert!(!serves, "this test needs {program}, of Debian's {packages:?}: install it");
    let apt = |arguments: &[&str]| {
        let mut run = Command::new("apt-get");
        run.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
        run.status().is_ok_and(|status| status.success())
    };
    let install = [&["install", "-y", "-qq", "--no-install-recommends", "--no-remove"][..], packages].concat();
    assert!(apt(&install) || (apt(&["update", "-qq"]) && apt(&install)), "{packages:?} cannot be installed");
}
