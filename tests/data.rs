//! `data get` and `data verify` against a server of this test on the loopback: transfers that break off, files that are
//! not the published ones, mirrors, a disk that is full.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

const NAME: &str = "d4rl-locomotion.hdf5";

fn fixture() -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs::read(root.join("tests/goldens/datasets").join(NAME)).unwrap()
}

/// How the server answers for one path.
#[derive(Clone)]
struct Answer {
    bytes: Vec<u8>,
    /// Bytes after which it hangs up, once.
    cut: Option<usize>,
    /// Whether it can begin in the middle.
    ranges: bool,
}

/// A server on the loopback, and what it was asked for.
struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new(answers: &[(&str, Answer)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answers = answers.iter().map(|(path, answer)| ((*path).to_owned(), answer.clone()));
        let mut answers: BTreeMap<String, Answer> = answers.collect();
        let log = Arc::clone(&asked);
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = serve(&stream.unwrap(), &mut answers, &log);
            }
        });
        Self { port, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(
    mut stream: &TcpStream,
    answers: &mut BTreeMap<String, Answer>,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().unwrap()?;
    let path = request.split(' ').nth(1).unwrap().to_owned();
    let mut from = 0;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().unwrap();
        }
    }
    log.lock().unwrap().push(format!("{path} from {from}"));
    let Some(answer) = answers.get_mut(&path) else {
        return stream.write_all(b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    };
    let total = answer.bytes.len();
    if answer.ranges && from >= total && from > 0 {
        return stream.write_all(b"HTTP/1.0 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n");
    }
    let from = if answer.ranges { from } else { 0 };
    let head = if from > 0 {
        format!("206 Partial Content\r\nContent-Range: bytes {from}-{}/{total}", total - 1)
    } else {
        "200 OK".to_owned()
    };
    write!(stream, "HTTP/1.0 {head}\r\nContent-Length: {}\r\n\r\n", total - from)?;
    let end = answer.cut.take().unwrap_or(total).clamp(from, total);
    stream.write_all(&answer.bytes[from..end])
}

fn whole(bytes: &[u8]) -> Answer {
    Answer { bytes: bytes.to_vec(), cut: None, ranges: true }
}

/// A folder with a manifest of one set, and calls of the program within it.
struct Place(tempfile::TempDir);

impl Place {
    fn new(urls: &[String], size: Option<usize>, sha256: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let size = size.map(|size| format!(", size = {size}")).unwrap_or_default();
        let sha256 = sha256.map(|sha256| format!(", sha256 = \"{sha256}\"")).unwrap_or_default();
        let urls = urls.iter().map(|url| format!("\"{url}\"")).collect::<Vec<_>>().join(", ");
        let manifest = format!(
            "schema = 1\n[[family]]\nname = \"t\"\nabout = \"a test\"\nlicence = \"MIT\"\nurls = [{urls}]\n\
             files = [{{ set = \"t/small-v0\", file = \"{NAME}\"{size}{sha256} }}]\n"
        );
        fs::write(folder.path().join("manifest.toml"), manifest).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, verb: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.arg("data").args(verb).args(["--data-dir", "data", "--manifest", "manifest.toml"]);
        command.current_dir(self.0.path()).env("HOME", self.0.path());
        for variable in ["D4RL_DATASET_DIR", "MINARI_DATASETS_PATH", "REPRISE_FAULT"] {
            command.env_remove(variable);
        }
        // The loopback is not to be asked through anybody.
        for variable in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(variable);
        }
        command
    }

    fn call(&self, verb: &[&str]) -> (i32, String) {
        told(&self.command(verb).output().unwrap())
    }

    /// Names in the folder for data sets.
    fn data(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("data")).into_iter().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn told(output: &Output) -> (i32, String) {
    let text = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    (output.status.code().unwrap_or(-1), text.concat())
}

fn sha256(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    fs::write(&path, bytes).unwrap();
    fetch::digest(&path).unwrap().1
}

/// A place whose set is at `paths` of a server with these answers, of published length and hash.
fn published(answers: &[(&str, Answer)], paths: &[&str]) -> (Server, Place) {
    let server = Server::new(answers);
    let urls: Vec<String> =
        paths.iter().map(|path| format!("http://127.0.0.1:{}{path}", server.port)).collect();
    let place = Place::new(&urls, Some(fixture().len()), Some(&sha256(&fixture())));
    (server, place)
}

const GET: [&str; 2] = ["get", "small-v0"];

#[test]
fn a_set_is_fetched_once() {
    let (server, place) = published(&[("/a", whole(&fixture()))], &["/a"]);
    let (code, text) = place.call(&GET);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("fetched") && text.contains("its SHA-256 is the published one"), "{text}");
    assert_eq!(place.data(), [NAME]);
    assert_eq!(fs::read(place.path("data").join(NAME)).unwrap(), fixture());
    assert!(place.call(&GET).1.contains("is here"));
    assert_eq!(server.asked(), ["/a from 0"]);
    let (code, text) = place.call(&["verify"]);
    assert_eq!((code, text.contains("the published one")), (0, true), "{text}");
    let (_, list) = place.call(&["list"]);
    assert!(list.contains("t/small-v0") && list.contains("data/d4rl-locomotion.hdf5"), "{list}");
    let (_, inspected) = place.call(&["inspect", "small-v0", "--json"]);
    let inspected: serde_json::Value = serde_json::from_str(&inspected).unwrap();
    assert_eq!((&inspected["set"], &inspected["rows"]), (&"t/small-v0".into(), &300.into()));
}

#[test]
fn a_transfer_that_broke_off_goes_on_where_it_did() {
    let cut = |at| Answer { cut: Some(at), ..whole(&fixture()) };
    // Within one call.
    let (server, place) = published(&[("/a", cut(40_000))], &["/a"]);
    let (code, text) = place.call(&GET);
    assert_eq!(code, 0, "{text}");
    assert_eq!(server.asked(), ["/a from 0", "/a from 40000"]);
    assert_eq!(fs::read(place.path("data").join(NAME)).unwrap(), fixture());

    // In the next call, when the first was ended: its part is there.
    let (server, place) = published(&[("/a", whole(&fixture()))], &["/a"]);
    fs::create_dir(place.path("data")).unwrap();
    fs::write(place.path("data").join(format!("{NAME}.part")), &fixture()[..50_001]).unwrap();
    let (code, text) = place.call(&GET);
    assert_eq!(code, 0, "{text}");
    assert_eq!(server.asked(), ["/a from 50001"]);
    assert_eq!(place.data(), [NAME]);
}

#[test]
fn what_is_there_of_another_file_is_not_gone_on_with() {
    for ranges in [true, false] {
        let (_server, place) = published(&[("/a", Answer { ranges, ..whole(&fixture()) })], &["/a"]);
        fs::create_dir(place.path("data")).unwrap();
        fs::write(place.path("data").join(format!("{NAME}.part")), vec![7; 50_000]).unwrap();
        let (code, text) = place.call(&GET);
        assert_eq!(code, 0, "ranges {ranges}: {text}");
        assert_eq!(fs::read(place.path("data").join(NAME)).unwrap(), fixture());
        assert_eq!(place.data(), [NAME]);
    }
}

#[test]
fn a_mirror_is_asked_when_the_origin_has_nothing_or_another_file() {
    let mut other = fixture();
    other[90_000] ^= 1;
    for origin in [whole(&other), whole(b"<html>"), Answer { cut: Some(0), ..whole(&fixture()) }] {
        let answers = [("/origin", origin), ("/mirror", whole(&fixture()))];
        let (server, place) = published(&answers, &["/gone", "/origin", "/mirror"]);
        let (code, text) = place.call(&GET);
        assert_eq!(code, 0, "{text}");
        assert_eq!(fs::read(place.path("data").join(NAME)).unwrap(), fixture());
        let asked = server.asked();
        assert!(asked.len() >= 2 && asked[0] == "/gone from 0", "{asked:?}");
    }
}

#[test]
fn another_file_is_never_put_in_its_place() {
    let mut other = fixture();
    other[90_000] ^= 1;
    let (_server, place) = published(&[("/a", whole(&other))], &["/a", "/gone"]);
    let (code, text) = place.call(&GET);
    assert_eq!(code, 2, "{text}");
    for expect in [
        "data set t/small-v0 could not be fetched",
        "another file: its SHA-256 is",
        "404",
        "looked in  ",
        &format!("looked for {NAME}, {} bytes, SHA-256 {}", other.len(), sha256(&fixture())),
        "curl -fL -C - -o",
    ] {
        assert!(text.contains(expect), "{expect:?} is not in\n{text}");
    }
    assert!(place.data().is_empty(), "{:?}", place.data());

    // A file of its name that someone put there stays, and is told.
    fs::write(place.path("data").join(NAME), &other).unwrap();
    let (code, text) = place.call(&GET);
    assert!(code == 2 && text.contains("is not the published file of t/small-v0"), "{text}");
    let (code, text) = place.call(&["verify"]);
    assert!(code == 2 && text.contains("is not the file of t/small-v0: found"), "{text}");
    assert_eq!(fs::read(place.path("data").join(NAME)).unwrap(), other);
}

#[test]
fn a_file_of_unknown_hash_is_noted_and_compared_later() {
    let server = Server::new(&[("/page", whole(b"<html>sign in</html>")), ("/a", whole(&fixture()))]);
    let urls = ["/page", "/a"].map(|path| format!("http://127.0.0.1:{}{path}", server.port));
    let place = Place::new(&urls, None, None);
    let (code, text) = place.call(&GET);
    assert_eq!(code, 0, "{text}");
    let note = format!("{NAME}.sha256");
    assert_eq!(place.data(), [NAME, &note]);
    assert_eq!(
        fs::read_to_string(place.path("data").join(&note)).unwrap(),
        format!("{}  {NAME}\n", sha256(&fixture()))
    );
    assert!(place.call(&["verify"]).1.contains("nobody publishes a hash"));
    let mut other = fixture();
    other[90_000] ^= 1;
    fs::write(place.path("data").join(NAME), other).unwrap();
    assert_eq!(place.call(&["verify"]).0, 2);
}

#[test]
fn wget_serves_where_there_is_no_curl() {
    let path = std::env::var_os("PATH").unwrap();
    let Some(wget) = fetch::program(&path, "wget") else {
        // Past the test harness, which would swallow it.
        writeln!(std::io::stderr(), "SKIPPED: no wget on PATH").unwrap();
        return;
    };
    let (server, place) = published(&[("/a", Answer { cut: Some(30_000), ..whole(&fixture()) })], &["/a"]);
    fs::create_dir(place.path("bin")).unwrap();
    std::os::unix::fs::symlink(wget, place.path("bin/wget")).unwrap();
    let output = place.command(&GET).env("PATH", place.path("bin")).output().unwrap();
    let (code, text) = told(&output);
    assert_eq!(code, 0, "{text}");
    assert_eq!(server.asked(), ["/a from 0", "/a from 30000"]);
}

#[test]
fn a_copy_under_another_name_is_found_by_its_content() {
    let (server, place) = published(&[("/a", whole(&fixture()))], &["/a"]);
    fs::create_dir_all(place.path(".d4rl/datasets/old")).unwrap();
    fs::write(place.path(".d4rl/datasets/old/mine.h5"), fixture()).unwrap();
    let (code, text) = place.call(&GET);
    assert!(code == 0 && text.contains(".d4rl/datasets/old/mine.h5"), "{text}");
    assert!(server.asked().is_empty());
}

/// At every operation on the disk: the message, nothing under the file's name, and the next call ends the work.
#[test]
fn a_full_disk_leaves_nothing_half_done() {
    let mut reached = 0;
    for k in 1..10 {
        let (server, place) = published(&[("/a", whole(&fixture()))], &["/a"]);
        let output = place.command(&GET).env("REPRISE_FAULT", format!("runner full {k}")).output().unwrap();
        let (code, text) = told(&output);
        if code == 0 {
            break;
        }
        reached += 1;
        assert!(code == 2 && text.contains("free some space"), "operation {k}: {text}");
        assert!(!place.path("data").join(NAME).exists());
        let (code, text) = place.call(&GET);
        assert_eq!(code, 0, "after operation {k}: {text}");
        assert_eq!(fs::read(place.path("data").join(NAME)).unwrap(), fixture());
        assert_eq!(server.asked().len(), 1, "nothing is fetched twice");
    }
    assert!(reached >= 2, "{reached} operations on the disk");
}
