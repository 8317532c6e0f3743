//! What can go wrong in a simulated session, and where each kind comes from.
//!
//! A fault is injected at a moment, at one broker or at the process as a whole. Most change what
//! happens at the next opportunity (the next report, the next snapshot); some last for a while.

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $id:literal;)*) => {
        /// A kind of fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $($(#[$doc])* $name,)*
        }

        impl Fault {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word in options and reports.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// Its number in the fault model (docs/faults.md).
            pub const fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }
        }
    };
}

faults! {
    /// The peer closes the connection.
    CleanClose = "clean_close", "F01";
    /// The connection is reset: bytes under way in both directions are lost.
    Reset = "reset", "F02";
    /// The connection looks open but carries nothing, in both directions.
    HalfOpen = "half_open", "F03";
    /// The broker hears but says nothing, not even heartbeats.
    Silent = "silent", "F04";
    /// Heartbeats are answered; reports are not told.
    HeartbeatsOnly = "heartbeats_only", "F05";
    /// Bytes trickle: everything takes much longer.
    Trickle = "trickle", "F06";
    /// Bytes that are no frame.
    Garbage = "garbage", "F07";
    /// A sound frame whose content is no message.
    WrongTypes = "wrong_types", "F08";
    /// A frame that claims to be larger than any may be.
    Oversized = "oversized", "F09";
    /// A flood of heartbeats.
    Flood = "flood", "F10";
    /// Reports are told twice.
    DuplicateReport = "duplicate_report", "F11";
    /// A report is never told, while the stream goes on.
    LostReport = "lost_report", "F12";
    /// Reports overtake each other.
    ReorderedReports = "reordered_reports", "F13";
    /// Reports of long ago are told again.
    OldReports = "old_reports", "F14";
    /// A report of an order that nobody here made.
    StrangeReport = "strange_report", "F15";
    /// The session is revoked in the middle of the stream.
    Revoked = "revoked", "F16";
    /// Another session takes this one's place.
    TakenOver = "taken_over", "F17";
    /// Dialling fails for a while.
    DialFails = "dial_fails", "F18";
    /// The one who answers is somebody else.
    WrongHost = "wrong_host", "F19";
    /// Dialling hangs.
    DialHangs = "dial_hangs", "F21";
    /// The connection ends in the middle of a frame.
    CutFrame = "cut_frame", "F22";
    /// A request arrives, its answer is lost with the connection.
    LostAnswer = "lost_answer", "F23";
    /// The answer comes after the gateway has stopped waiting.
    LateAnswer = "late_answer", "F24";
    /// The broker refuses for a while, as one asks too often.
    Throttled = "throttled", "F25";
    /// The broker fails: requests are refused without a reason.
    VenueError = "venue_error", "F26";
    /// A web page where a message should be.
    WebPage = "web_page", "F27";
    /// A proxy sends a request twice: done once, and one of the two answers comes back.
    ProxyRepeats = "proxy_repeats", "F28";
    /// A proxy closes the connection behind each answer.
    ClosesEach = "closes_each", "F28";
    /// The broker is away for maintenance.
    Maintenance = "maintenance", "F29";
    /// The fill is told before the acknowledgement.
    AckAfterFill = "ack_after_fill", "F30";
    /// A fill is told after the cancel was confirmed.
    FillAfterCancel = "fill_after_cancel", "F31";
    /// An order fills long after it ended.
    LateFill = "late_fill", "F32";
    /// A trade is cancelled afterwards.
    TradeBust = "trade_bust", "F33";
    /// A trade is corrected afterwards.
    TradeCorrect = "trade_correct", "F33";
    /// A cancel is not answered and not done.
    IgnoredCancel = "ignored_cancel", "F34";
    /// A replace is refused as the order filled meanwhile.
    ReplaceAfterFill = "replace_after_fill", "F35";
    /// A live order is missing from a snapshot.
    NotFound = "not_found", "F36";
    /// A snapshot from a while ago.
    StaleSnapshot = "stale_snapshot", "F37";
    /// A snapshot that lists nothing.
    EmptySnapshot = "empty_snapshot", "F37";
    /// A snapshot whose end never comes.
    PartialSnapshot = "partial_snapshot", "F37";
    /// Orders of an account that is not ours in a snapshot.
    WrongAccount = "wrong_account", "F38";
    /// A share is split: the operator says so, brokers show it when they have done it.
    CorporateAction = "corporate_action", "F39";
    /// Fees that are zero, negative or absurd.
    OddFee = "odd_fee", "F40";
    /// The broker refuses everything for a while.
    RefusesAll = "refuses_all", "F41";
    /// An agent panics.
    AgentPanic = "agent_panic", "F42";
    /// The process is killed between any two calls of the system.
    Kill9 = "kill_9", "F43";
    /// The process is stopped for a while and goes on.
    Stopped = "stopped", "F44";
    /// A queue on the way to the broker is full.
    QueueFull = "queue_full", "F46";
    /// The disk is full.
    DiskFull = "disk_full", "F49";
    /// The disk fails in the middle of a write.
    DiskError = "disk_error", "F50";
    /// The power fails: what was not synced is lost, the last frame is torn.
    PowerLoss = "power_loss", "F51";
    /// The wall clock jumps.
    ClockStep = "clock_step", "F52";
    /// An order is refused in words and lives all the same.
    FalseReject = "false_reject", "G21";
    /// Someone trades by hand at the broker.
    ManualOrder = "manual_order", "G07";
    /// Market records are missing.
    MarketGap = "market_gap", "F12";
    /// The market feed is silent.
    MarketSilent = "market_silent", "F04";
    /// Market records come twice.
    MarketDuplicate = "market_duplicate", "F11";
    /// Market records of the past.
    MarketOld = "market_old", "F14";
    /// The bid is above the ask.
    MarketCrossed = "market_crossed", "F08";
    /// The price jumps.
    MarketJump = "market_jump", "F08";
    /// Trading in an instrument halts.
    MarketHalt = "market_halt", "C21";
}

impl std::str::FromStr for Fault {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|fault| fault.name() == text).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|fault| fault.name()).collect();
            format!("`{text}` is not a fault: {}", known.join(", "))
        })
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
