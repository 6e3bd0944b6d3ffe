using System.Collections.Immutable;
using System.Net;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Node.Configuration;

/// <summary>
/// Everything that makes this process that node: one JSON file, bound once, judged whole and never changed afterwards. All paths are absolute
/// here; in the file they are relative to the file. docs/configuration.md lists every key.
/// </summary>
public sealed record NodeConfiguration
{
    /// <summary>The file that this was read from.</summary>
    public required string File { get; init; }

    public required NodeId Node { get; init; }

    /// <summary>The division that the node answers for: this one and all below it in the register.</summary>
    public required DivisionCode Division { get; init; }

    /// <summary>The surroundings that the defaults were taken from; it says nothing about the tree.</summary>
    public required Tier Tier { get; init; }

    /// <summary>The place's own zone: its statistical days, its calendar and its schedule.</summary>
    public required DateTimeZone Zone { get; init; }

    /// <summary>The register's CSV file; null for the built-in GB/T 2260.</summary>
    public required string? RegisterFile { get; init; }

    /// <summary>The data directory. One process at a time.</summary>
    public required string DataFolder { get; init; }

    /// <summary>The file of bearer tokens, readable by its owner only.</summary>
    public required string TokensFile { get; init; }

    public required LinkConfiguration Link { get; init; }

    public required OperatorConfiguration Operator { get; init; }

    /// <summary>Whom the node reports to; null for the root of a tree.</summary>
    public required ParentConfiguration? Parent { get; init; }

    /// <summary>A sector's own network beside the territorial tree (L17); null where the node is in none.</summary>
    public required ParentConfiguration? SectorParent { get; init; }

    /// <summary>How the node takes children in; null where it keeps no register of them.</summary>
    public required ChildrenConfiguration? Children { get; init; }

    public required CalendarConfiguration Calendar { get; init; }

    /// <summary>How long after the end of a statistical day its figures may be called final.</summary>
    public required Duration ClosingDelay { get; init; }

    /// <summary>How often the folds are kept beside the journal, so that a start need not replay all of it.</summary>
    public required Duration SnapshotEvery { get; init; }

    /// <summary>How long the parent may not have confirmed this node's record before writes stop; null where they never do.</summary>
    public required Duration? AnchorRequired { get; init; }

    public required LimitsConfiguration Limits { get; init; }

    public required LogConfiguration Log { get; init; }

    /// <summary>Asked for on the command line, never in the file: the data directory was restored from a copy and goes on as a new life.</summary>
    public bool IsRestored { get; init; }
}

/// <summary>The node's certificate, and where its children connect.</summary>
public sealed record LinkConfiguration
{
    public required IPAddress Address { get; init; }

    /// <summary>Where children connect; 0 for a free port; null where the node takes no children, so that no port is open to other places.</summary>
    public required int? Port { get; init; }

    /// <summary>The node's certificate (PEM, with intermediate ones after it), for both ends of the link.</summary>
    public required string CertificateFile { get; init; }

    public required string KeyFile { get; init; }

    /// <summary>The network's authority (PEM). The operating system's list of authorities is never asked.</summary>
    public required string AuthorityFile { get; init; }

    /// <summary>The node's signing certificate (PEM, with intermediate ones after it), beside that of its connections; null for a node that signs nothing.</summary>
    public required string? SigningCertificateFile { get; init; }

    public required string? SigningKeyFile { get; init; }

    /// <summary>Whether children must sign what they send.</summary>
    public required SignaturePolicy Signatures { get; init; }

    /// <summary>Who grants a new data directory of a known child its epoch.</summary>
    public required EpochPolicy NewDirectories { get; init; }
}

/// <summary>How a node takes children in: by its register of children and by an authority of its own (clauses E1 to E7).</summary>
public sealed record ChildrenConfiguration
{
    /// <summary>The node's authority (PEM), behind it those between it and the root.</summary>
    public required string AuthorityFile { get; init; }

    public required string AuthorityKeyFile { get; init; }

    /// <summary>How many people open a place.</summary>
    public required Hub.Children.ApprovalRule Approval { get; init; }

    /// <summary>Where nodes without a certificate enrol; null while none may, so that no port is open to them.</summary>
    public required int? EnrolmentPort { get; init; }

    /// <summary>How long a one-time code may be used.</summary>
    public required Duration CodeLife { get; init; }

    /// <summary>How long a child's certificates hold.</summary>
    public required Duration CertificateLife { get; init; }
}

/// <summary>Where people and their programs reach the node.</summary>
public sealed record OperatorConfiguration
{
    public required IPAddress Address { get; init; }

    /// <summary>JSON over HTTP/1.1 (with TLS also HTTP/2); 0 for a free port.</summary>
    public required int Port { get; init; }

    /// <summary>gRPC over HTTP/2, without TLS with prior knowledge (h2c); 0 for a free port.</summary>
    public required int GrpcPort { get; init; }

    /// <summary>Null without TLS, which only a loopback address may be.</summary>
    public required string? CertificateFile { get; init; }

    public required string? KeyFile { get; init; }
}

/// <summary>Whom the node reports to, and when.</summary>
public sealed record ParentConfiguration
{
    public required Uri Url { get; init; }

    /// <summary>The node that must be there: its certificate says so, or nothing is sent.</summary>
    public required NodeId Node { get; init; }

    public required DivisionCode Division { get; init; }

    /// <summary>The forward proxy by which the parent's link is reached; null for none.</summary>
    public required Uri? Proxy { get; init; }

    /// <summary>When changed cells go up: a Quartz expression of 6 or 7 fields with seconds, in the place's zone. Escalations never wait for it.</summary>
    public required string Schedule { get; init; }

    /// <summary>Each scheduled sending is put off by a random time up to this, so that the children of one parent do not come at once.</summary>
    public required Duration Jitter { get; init; }

    /// <summary>When what the parent holds is compared with what is here (clause L16): a Quartz expression as <see cref="Schedule"/>; each time up to a quarter of an hour later.</summary>
    public required string Reconcile { get; init; }

    /// <summary>What a sector's parent issued for the connections to it (PEM), and its key; null, as always for the territorial parent, where the node shows the certificate of its link.</summary>
    public string? CertificateFile { get; init; }

    public string? KeyFile { get; init; }

    /// <summary>The register by which a sector's parent may be issued its division (clause E2), as a CSV file; null for the node's own.</summary>
    public string? RegisterFile { get; init; }

    /// <summary>The matters that it is told of; all but for a sector's parent.</summary>
    public Matters Matters { get; init; } = Matters.All;

    /// <summary>
    /// Whether a certificate is the parent's: by node and by division, for an authority below may put any node's name into what it issues, but no division outside its own (E2).
    /// </summary>
    public bool IsNamedBy(PeerCertificate peer) => peer.Node == Node && peer.Divisions.Contains(Division);
}

/// <summary>When the place works.</summary>
public sealed record CalendarConfiguration
{
    /// <summary>In order, not overlapping.</summary>
    public required ImmutableArray<WorkHours> Hours { get; init; }

    public required ImmutableArray<IsoDayOfWeek> WorkDays { get; init; }

    public required ImmutableArray<LocalDate> Holidays { get; init; }

    /// <summary>Worked on although the day of the week says otherwise (调休).</summary>
    public required ImmutableArray<LocalDate> MakeUpDays { get; init; }
}

/// <summary>A stretch of a working day in minutes from midnight: from is in, to is out, 1440 is the end of the day.</summary>
public readonly record struct WorkHours(int FromMinute, int ToMinute);

/// <summary>What a node takes at most. Each default stands with its arithmetic in <see cref="TierPreset"/> or docs/configuration.md.</summary>
public sealed record LimitsConfiguration
{
    /// <summary>Records that the case view may lag behind before intake slows.</summary>
    public required int ViewLagRecords { get; init; }

    /// <summary>Bytes of one request's body, and of one gRPC message, on the operator ports.</summary>
    public required int RequestBytes { get; init; }

    /// <summary>Bytes of one gRPC message on the link.</summary>
    public required int LinkMessageBytes { get; init; }

    public required int OperatorConnections { get; init; }

    /// <summary>Open connections of children, from the handshake on in which they prove who they are.</summary>
    public required int LinkConnections { get; init; }

    /// <summary>Connections on the link's port whose handshake is not over.</summary>
    public required int LinkHandshakes { get; init; }

    /// <summary>Of these, those from one address.</summary>
    public required int LinkHandshakesPerAddress { get; init; }

    /// <summary>The time that a handshake of TLS has, on the ports of the link and of enrolment.</summary>
    public required Duration HandshakeTime { get; init; }

    /// <summary>Open connections of one child.</summary>
    public required int LinkConnectionsPerPeer { get; init; }

    /// <summary>Streams of one child on all its connections together.</summary>
    public required int LinkStreamsPerPeer { get; init; }

    /// <summary>Escalations and receipts that one child may bring in an hour.</summary>
    public required int EscalationsPerHour { get; init; }

    /// <summary>Cells that may be held by one child.</summary>
    public required int CellsPerChild { get; init; }

    /// <summary>Calls under way on both operator ports together.</summary>
    public required int CallsUnderWay { get; init; }

    /// <summary>Calls a second of one token; twice that at once.</summary>
    public required int CallsPerUser { get; init; }

    /// <summary>Of these, views and lists.</summary>
    public required int ReadsPerUser { get; init; }

    /// <summary>Calls without a token, and new connections, a second from one address; twice that at once.</summary>
    public required int CallsPerAddress { get; init; }

    /// <summary>The time that a call has.</summary>
    public required Duration CallTime { get; init; }

    /// <summary>The program's own memory in MiB at which all that may be let go of is; 0 for three quarters of what the machine or its container has.</summary>
    public required int MemoryMegabytes { get; init; }

    /// <summary>MiB of the data disk that are kept for what is under way; nothing new is taken once no more are free. 0 keeps none.</summary>
    public required int DiskReserveMegabytes { get; init; }

    /// <summary>A segment of the journal is sealed once it has this many bytes.</summary>
    public required int SegmentBytes { get; init; }

    /// <summary>How long the node may take to end after SIGTERM.</summary>
    public required Duration Shutdown { get; init; }
}

/// <summary>Where the log goes.</summary>
public sealed record LogConfiguration
{
    /// <summary>Compact JSON, a file a day, see <see cref="FileBytes"/> and <see cref="Files"/>; null for the console alone.</summary>
    public required string? Folder { get; init; }

    public required LogLevel Level { get; init; }

    public required int FileBytes { get; init; }

    public required int Files { get; init; }
}
