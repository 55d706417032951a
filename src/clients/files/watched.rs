//! Files that are read anew when they change, while the old contents go on to answer.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::problem::Problem;

/// How often a file is looked at, at most. A change is in force after the second look that finds it the same, so that
/// a file is not read while it is being written.
const INTERVAL: Duration = Duration::from_secs(2);

/// The largest file, in octets.
const LARGEST: u64 = 1 << 30;

/// What reading gives: the contents with what is doubtful about them, or all that is wrong.
pub(crate) type Reading<T> = Result<(T, Vec<Problem>), Vec<Problem>>;

/// A file that is read anew when it changes.
///
/// A new version that is missing, empty or wrong is complained about once, and the old one stays in force.
pub(crate) struct Watched<T>(Arc<Inner<T>>);

struct Inner<T> {
    path: PathBuf,
    parse: Parse<T>,
    state: Mutex<State<T>>,
}

type Parse<T> = Box<dyn Fn(&[u8]) -> Reading<T> + Send + Sync>;

struct State<T> {
    contents: Arc<T>,
    /// What the file was like when its contents were read.
    read: Seen,
    /// What the file was like at the last look.
    seen: Seen,
    /// When to look again; none while somebody looks.
    due: Option<Instant>,
}

/// What tells one version of a file from the next; none when there is no file.
type Seen = Option<Stamp>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Opens what has files behind it where no session waits for the disk, or for a large file to be read.
pub(crate) async fn apart<T: Send + 'static>(
    open: impl FnOnce() -> Reading<T> + Send + 'static,
) -> Reading<T> {
    let opened = tokio::task::spawn_blocking(open).await;
    opened.unwrap_or_else(|error| Err(vec![Problem::new(format!("it cannot be opened: {error}"))]))
}

impl<T: Send + Sync + 'static> Watched<T> {
    /// Reads the file for the first time.
    pub(crate) fn open(
        path: &Path,
        parse: impl Fn(&[u8]) -> Reading<T> + Send + Sync + 'static,
    ) -> Reading<Self> {
        let (bytes, stamp) = read(path).map_err(|error| vec![unreadable(path, &error)])?;
        let in_file = |problems: Vec<Problem>| problems.into_iter().map(|one| one.in_file(path)).collect();
        let (contents, warnings) = parse(&bytes).map_err(in_file)?;
        let state = State {
            contents: Arc::new(contents),
            read: Some(stamp),
            seen: Some(stamp),
            due: Some(Instant::now() + INTERVAL),
        };
        let inner = Inner { path: path.to_owned(), parse: Box::new(parse), state: Mutex::new(state) };
        Ok((Self(Arc::new(inner)), in_file(warnings)))
    }

    /// The contents in force. If a look is due it begins now; nobody waits for it, as it may mean to read a large file.
    pub(crate) fn current(&self) -> Arc<T> {
        drop(self.look_if_due());
        Arc::clone(&self.0.state().contents)
    }

    /// Begins a look, if one is due. A panic in it is logged by its hook and leaves the old contents.
    fn look_if_due(&self) -> Option<JoinHandle<()>> {
        let now = Instant::now();
        let due = &mut self.0.state().due;
        if due.is_none_or(|due| now < due) {
            return None;
        }
        *due = None;
        let inner = Arc::clone(&self.0);
        Some(tokio::task::spawn_blocking(move || {
            let again = Again { inner: &inner, due: now + INTERVAL };
            again.inner.look();
        }))
    }

    /// The contents in force, without a look at the file.
    pub(crate) fn latest(&self) -> Arc<T> {
        Arc::clone(&self.0.state().contents)
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.0.path
    }
}

impl<T> Inner<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the file, and reads it where it is a new version that has come to rest.
    fn look(&self) {
        let seen = fs::metadata(&self.path).ok().map(|metadata| Stamp::of(&metadata));
        {
            let mut state = self.state();
            let at_rest = state.seen == seen;
            state.seen = seen;
            if !at_rest || state.read == seen {
                return;
            }
            state.read = seen;
        }
        match read(&self.path) {
            Ok((_, stamp)) if Some(stamp) != seen => {
                let mut state = self.state();
                (state.read, state.seen) = (None, Some(stamp));
            }
            Ok((bytes, _)) if bytes.is_empty() => self.refuse("it is empty"),
            Ok((bytes, _)) => match (self.parse)(&bytes) {
                Ok((contents, warnings)) => {
                    self.state().contents = Arc::new(contents);
                    info!(file = %self.path.display(), "read anew");
                    for warning in warnings {
                        warn!("{}", warning.in_file(&self.path));
                    }
                }
                Err(problems) => self.refuse_for(problems),
            },
            Err(error) => self.refuse_for(vec![unreadable(&self.path, &error)]),
        }
    }

    fn refuse_for(&self, mut problems: Vec<Problem>) {
        let more = problems.len().saturating_sub(1);
        let first = problems.drain(..).next().map(|one| one.in_file(&self.path).to_string());
        let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
        self.refuse(&format!("{}{more}", first.unwrap_or_default()));
    }

    fn refuse(&self, why: &str) {
        error!(file = %self.path.display(), "the new version is not used, the old one stays: {why}");
    }
}

/// Sees to it that there is a next look, whatever becomes of this one.
struct Again<'a, T> {
    inner: &'a Inner<T>,
    due: Instant,
}

impl<T> Drop for Again<'_, T> {
    fn drop(&mut self) {
        self.inner.state().due = Some(self.due);
    }
}

impl<T> std::fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Watched").field(&self.0.path).finish()
    }
}

/// The octets of a file, and the version that they are of.
fn read(path: &Path) -> io::Result<(Vec<u8>, Stamp)> {
    let before = fs::metadata(path)?;
    if before.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    // Opening a FIFO would wait for somebody to write to it.
    if !before.is_file() {
        return Err(io::Error::other("not a file"));
    }
    if before.size() > LARGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut file = File::open(path)?;
    let mut bytes = Vec::with_capacity(usize::try_from(before.size()).unwrap_or_default());
    (&mut file).take(LARGEST).read_to_end(&mut bytes)?;
    Ok((bytes, Stamp::of(&file.metadata()?)))
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let text = error.to_string();
    let problem =
        Problem::new(format!("cannot be read: {}", text.split(" (os error").next().unwrap_or_default()));
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => Some("the user that runs lockdown-milter must be able to read it"),
        io::ErrorKind::FileTooLarge => Some("1 GiB is the limit"),
        _ => None,
    };
    Problem { hint: hint.map(str::to_owned), ..problem.in_file(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A watched number in a file, and how often it was read.
    struct Case {
        dir: tempfile::TempDir,
        watched: Watched<i32>,
    }

    impl Case {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("n"), "1").unwrap();
            let parse = |bytes: &[u8]| {
                let text = String::from_utf8_lossy(bytes);
                text.parse().map(|n| (n, Vec::new())).map_err(|_| vec![Problem::new("no number")])
            };
            let (watched, _) = Watched::open(&dir.path().join("n"), parse).unwrap();
            Self { dir, watched }
        }

        /// Puts a new version in place in one step.
        fn replace(&self, text: &str) {
            fs::write(self.dir.path().join("new"), text).unwrap();
            fs::rename(self.dir.path().join("new"), self.dir.path().join("n")).unwrap();
        }

        /// What is in force after so many looks.
        async fn after(&self, looks: usize) -> i32 {
            for _ in 0..looks {
                tokio::time::advance(INTERVAL).await;
                self.watched.look_if_due().unwrap().await.unwrap();
            }
            *self.watched.0.state().contents
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_version_is_in_force_when_it_is_at_rest() {
        let case = Case::new();
        case.replace("2");
        assert_eq!(case.after(0).await, 1);
        assert_eq!(case.after(1).await, 1);
        assert_eq!(case.after(1).await, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_is_being_written_is_left_alone() {
        let case = Case::new();
        for text in ["2", "22", "222"] {
            fs::write(case.dir.path().join("n"), text).unwrap();
            assert_eq!(case.after(1).await, 1);
        }
        assert_eq!(case.after(1).await, 222);
    }

    #[tokio::test(start_paused = true)]
    async fn missing_empty_and_wrong_versions_leave_the_old_one() {
        let case = Case::new();
        for text in ["", "x"] {
            case.replace(text);
            assert_eq!(case.after(3).await, 1);
        }
        fs::remove_file(case.dir.path().join("n")).unwrap();
        assert_eq!(case.after(3).await, 1);
        case.replace("3");
        assert_eq!(case.after(2).await, 3);
    }

    #[test]
    fn what_cannot_be_opened_says_why() {
        let open = |path: &str| Watched::<()>::open(Path::new(path), |_| Ok(((), Vec::new()))).unwrap_err();
        assert_eq!(
            open("/nonexistent/x")[0].to_string(),
            "/nonexistent/x: cannot be read: No such file or directory"
        );
        assert_eq!(open("/")[0].to_string(), "/: cannot be read: is a directory");
    }
}
