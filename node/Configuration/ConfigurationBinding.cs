using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using CityGrid.Hub.Load;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using NodaTime;
using Quartz;

namespace CityGrid.Node.Configuration;

/// <summary>What each key means, what is allowed there, and what holds where it is missing.</summary>
internal sealed class ConfigurationBinding(string file, Func<string, bool> exists)
{
    private const string Certificate = "the path of a PEM file with the certificate";
    private const string PortAllowed = "a port from 1 to 65535, or 0 for a free one";
    private const string DurationAllowed = "a whole number with s, m, h or d";

    private static readonly IReadOnlyList<IsoDayOfWeek> Days =
        [IsoDayOfWeek.Monday, IsoDayOfWeek.Tuesday, IsoDayOfWeek.Wednesday, IsoDayOfWeek.Thursday, IsoDayOfWeek.Friday, IsoDayOfWeek.Saturday, IsoDayOfWeek.Sunday];

    private readonly string _folder = Path.GetDirectoryName(file) ?? "/";

    public NodeConfiguration Bind(JsonSection root)
    {
        var tier = root.Required<Tier>("tier", $"one of {JsonReads.Names(Enum.GetValues<Tier>())}", JsonReads.TryReadName, Tier.City);
        var preset = TierPreset.Of(tier);
        var node = root.Required("node", "the node's name for life: 1 to 64 of a-z, 0-9, '-', '_', '.'", JsonReads.Text<NodeId>(NodeId.TryParse), default);
        var division = root.Required("division", "the code of a division in the register: 1 to 32 of A-Z, 0-9 and '-'", JsonReads.Text<DivisionCode>(DivisionCode.TryParse), default);
        var audit = root.Section("audit");
        var configuration = new NodeConfiguration
        {
            File = file,
            Node = node,
            Division = division,
            Tier = tier,
            Zone = root.Required("zone", "an IANA time zone such as Asia/Shanghai", JsonReads.Text<DateTimeZone>(TryParseZone), DateTimeZone.Utc),
            RegisterFile = Register(root),
            DataFolder = PathAt(root, "data", "the path of the data directory", "data", mustExist: false),
            TokensFile = PathAt(root, "tokens", "the path of the file of bearer tokens, mode 0600", "tokens", mustExist: true),
            Link = Link(root.Section("link"), preset),
            Operator = Operator(root.Section("operator")),
            Parent = root.OptionalSection("parent") is { } parent ? Parent(parent, preset, node, division, isSector: false) : null,
            SectorParent = root.OptionalSection("sectorParent") is { } sector ? Parent(sector, preset, node, division, isSector: true) : null,
            Children = root.OptionalSection("children") is { } children ? Children(children) : null,
            Calendar = Calendar(root.Section("calendar")),
            ClosingDelay = DurationAt(root, "closingDelay", Duration.Zero, Duration.FromDays(62), preset.ClosingDelay),
            SnapshotEvery = DurationAt(root, "snapshotEvery", Duration.FromSeconds(10), Duration.FromDays(1), preset.SnapshotEvery),
            AnchorRequired = AnchorRequired(audit),
            Limits = Limits(root.Section("limits"), preset),
            Log = Log(root.Section("log")),
        };
        if (configuration is { AnchorRequired: not null, Parent: null })
        {
            audit.Fault("anchorRequired", "a node without a parent has nobody to confirm its record; leave it out, or give the node a parent");
        }

        if (configuration is { SectorParent: not null, Parent: null })
        {
            root.Fault("sectorParent", "a sector's parent stands beside the territorial one; call the only one parent");
        }
        else if (configuration.SectorParent is { Node.IsNone: false } beside && beside.Node == configuration.Parent!.Node)
        {
            root.Fault("sectorParent", $"{beside.Node} is the parent already; the sector's is another node");
        }

        if (configuration is { SectorParent.Matters.IsAll: false, Link.Port: not null })
        {
            root.Fault("sectorParent", "matters are chosen where cases are kept, and a node that takes children relays theirs as they are: leave link.port out, or give each child a sectorParent of its own");
        }

        audit.End();
        root.End();
        if (configuration is { Children: not null, Link.Port: null })
        {
            root.Fault("children", "children need a port to connect to: give link.port");
        }

        return configuration;
    }

    private string? Register(JsonSection root)
    {
        const string BuiltIn = "gbt2260";
        var value = root.Optional("register", $"{BuiltIn} (built in), or the path of a CSV file", JsonReads.Text<string>(TryParsePath), BuiltIn, BuiltIn);
        if (value == BuiltIn)
        {
            return null;
        }

        var path = Absolute(value);
        if (!exists(path))
        {
            root.Fault("register", $"there is no such file ({path}), and the register built in is named {BuiltIn}");
        }

        return path;
    }

    private LinkConfiguration Link(JsonSection section, TierPreset preset)
    {
        const int None = -1;
        var usual = preset.LinkPort is { } number ? Invariant(number) : "none: the node takes no children";
        var port = section.Optional("port", PortAllowed, JsonReads.Whole(0, 65535), None, usual);
        var link = new LinkConfiguration
        {
            Address = section.Optional("address", "an IP address", JsonReads.Text<IPAddress>(TryParseAddress), IPAddress.Loopback, "127.0.0.1"),
            Port = port == None ? preset.LinkPort : port,
            CertificateFile = PathAt(section, "certificate", Certificate, null, mustExist: true),
            KeyFile = PathAt(section, "key", "the path of a PEM file with the private key", null, mustExist: true),
            AuthorityFile = PathAt(section, "authority", "the path of a PEM file with the network's authority", null, mustExist: true),
            SigningCertificateFile = OptionalPathAt(section, "signingCertificate", "the path of a PEM file with the signing certificate"),
            SigningKeyFile = OptionalPathAt(section, "signingKey", "the path of a PEM file with its private key"),
            Signatures = section.Optional<SignaturePolicy>(
                "signatures", $"one of {JsonReads.Names(Enum.GetValues<SignaturePolicy>())}", JsonReads.TryReadName, SignaturePolicy.Accepted, "accepted"),
            NewDirectories = section.Optional<EpochPolicy>(
                "newDirectories", $"one of {JsonReads.Names(Enum.GetValues<EpochPolicy>())}", JsonReads.TryReadName, EpochPolicy.Granted, "granted"),
        };
        if (link.SigningCertificateFile is null != link.SigningKeyFile is null)
        {
            section.Fault(link.SigningCertificateFile is null ? "signingCertificate" : "signingKey", "certificate and key are given together");
        }

        section.End();
        return link;
    }

    private ChildrenConfiguration Children(JsonSection section)
    {
        const int None = -1;
        var port = section.Optional("enrolmentPort", PortAllowed, JsonReads.Whole(0, 65535), None, "none: no node can enrol");
        var children = new ChildrenConfiguration
        {
            AuthorityFile = PathAt(section, "authority", "the path of a PEM file with the node's authority", null, mustExist: true),
            AuthorityKeyFile = PathAt(section, "authorityKey", "the path of a PEM file with its private key", null, mustExist: true),
            Approval = section.Optional<Hub.Children.ApprovalRule>("approval", $"one of {JsonReads.Names(Enum.GetValues<Hub.Children.ApprovalRule>())}", JsonReads.TryReadName, Hub.Children.ApprovalRule.Two, "two"),
            EnrolmentPort = port == None ? null : port,
            CodeLife = DurationAt(section, "codeLife", Duration.FromMinutes(5), Duration.FromDays(31), Duration.FromDays(3)),
            CertificateLife = DurationAt(section, "certificateLife", Duration.FromMinutes(15), Duration.FromDays(825), Duration.FromDays(397)),
        };
        section.End();
        return children;
    }

    private OperatorConfiguration Operator(JsonSection section)
    {
        var address = section.Optional("address", "an IP address", JsonReads.Text<IPAddress>(TryParseAddress), IPAddress.Loopback, "127.0.0.1");
        var port = section.Optional("port", PortAllowed, JsonReads.Whole(0, 65535), 7080, "7080");
        var grpcPort = section.Optional("grpcPort", PortAllowed, JsonReads.Whole(0, 65535), 7081, "7081");
        var certificate = OptionalPathAt(section, "certificate", $"{Certificate}; needed unless the address is loopback");
        var key = OptionalPathAt(section, "key", "the path of a PEM file with its private key");
        if (!IPAddress.IsLoopback(address) && certificate is null)
        {
            section.Fault("certificate", "TLS is needed where the address is not loopback: give certificate and key, or the address 127.0.0.1");
        }

        if (certificate is null != key is null)
        {
            section.Fault(certificate is null ? "certificate" : "key", "certificate and key are given together");
        }

        if (port != 0 && port == grpcPort)
        {
            section.Fault("grpcPort", "HTTP/1.1 and gRPC without TLS cannot share a port; give another one");
        }

        section.End();
        return new OperatorConfiguration { Address = address, Port = port, GrpcPort = grpcPort, CertificateFile = certificate, KeyFile = key };
    }

    private ParentConfiguration Parent(JsonSection section, TierPreset preset, NodeId self, DivisionCode division, bool isSector)
    {
        var parent = new ParentConfiguration
        {
            Url = section.Required("url", "https://HOST:PORT of the parent's link", JsonReads.Text<Uri>(TryParseUrl), new Uri("https://localhost")),
            Node = section.Required("node", "the name of the parent node", JsonReads.Text<NodeId>(NodeId.TryParse), default),
            Division = section.Required("division", "the division that the parent's certificate must name", JsonReads.Text<DivisionCode>(DivisionCode.TryParse), default),
            Proxy = section.Optional<Uri?>("proxy", "http://HOST:PORT of a forward proxy that knows CONNECT", JsonReads.Text<Uri?>(TryParseProxy), null, "none"),
            Schedule = section.Optional(
                "schedule", "a Quartz cron expression of 6 or 7 fields with seconds, such as 0 0/5 * * * ?", JsonReads.Text<string>(TryParseCron), preset.Schedule, preset.Schedule),
            Jitter = DurationAt(section, "jitter", Duration.Zero, Duration.FromHours(1), preset.Jitter),
            Reconcile = section.Optional(
                "reconcile", "a Quartz cron expression of 6 or 7 fields with seconds, such as 0 30 2 * * ?", JsonReads.Text<string>(TryParseCron), "0 30 2 * * ?", "0 30 2 * * ?"),
            CertificateFile = isSector ? OptionalPathAt(section, "certificate", "the path of a PEM file with the certificate that the sector's parent issued") : null,
            KeyFile = isSector ? OptionalPathAt(section, "key", "the path of a PEM file with its private key") : null,
            RegisterFile = isSector ? OptionalPathAt(section, "register", "the path of a CSV file") : null,
            Matters = isSector ? MattersAt(section) : Matters.All,
        };
        if (parent.CertificateFile is null != parent.KeyFile is null)
        {
            section.Fault(parent.CertificateFile is null ? "certificate" : "key", "certificate and key are given together");
        }

        if (!parent.Node.IsNone && parent.Node == self)
        {
            section.Fault("node", "a node is not its own parent");
        }

        if (!parent.Division.IsNone && parent.Division == division)
        {
            section.Fault("division", "the parent answers for a division above this node's");
        }

        section.End();
        return parent;
    }

    private static Matters MattersAt(JsonSection section)
    {
        var beginnings = section.List<string>(
            "matters", $"a type code or the beginning of one, such as 01, 06010 or x, or {Matters.Other} for 99000 and all local types", JsonReads.Text<string>(TryParseBeginning), Matters.CountMax, default, "all");
        if (beginnings.IsDefault)
        {
            return Matters.All;
        }

        if (beginnings.IsEmpty)
        {
            section.Fault("matters", "name at least one type code or beginning of one; for all matters leave the key out");
        }

        return Matters.Of(beginnings)!;
    }

    private static CalendarConfiguration Calendar(JsonSection section)
    {
        ImmutableArray<WorkHours> usualHours = [new(8 * 60, 12 * 60), new(14 * 60, 18 * 60)];
        ImmutableArray<IsoDayOfWeek> usualDays = [.. Days.Take(5)];
        var calendar = new CalendarConfiguration
        {
            Hours = section.List<WorkHours>("hours", "HH:MM-HH:MM, the second later than the first", JsonReads.TryReadHours, 24, usualHours, "08:00-12:00, 14:00-18:00"),
            WorkDays = section.List<IsoDayOfWeek>("workDays", $"one of {JsonReads.Names(Days)}", TryReadDay, 7, usualDays, JsonReads.Names(usualDays)),
            Holidays = section.List<LocalDate>("holidays", "a day YYYY-MM-DD", JsonReads.TryReadDate, 1000, [], "none"),
            MakeUpDays = section.List<LocalDate>("makeUpDays", "a day YYYY-MM-DD that is worked on", JsonReads.TryReadDate, 1000, [], "none"),
        };
        for (var i = 1; i < calendar.Hours.Length; i++)
        {
            if (calendar.Hours[i].FromMinute < calendar.Hours[i - 1].ToMinute)
            {
                section.Fault("hours", "hours stand in order and do not overlap");
                break;
            }
        }

        if (calendar.Hours.IsEmpty || calendar.WorkDays.IsEmpty)
        {
            section.Fault(calendar.Hours.IsEmpty ? "hours" : "workDays", "at least one is needed: a deadline in working time would never come");
        }

        if (calendar.Holidays.Intersect(calendar.MakeUpDays).Any())
        {
            section.Fault("makeUpDays", "a day is a holiday or a make-up day, not both");
        }

        section.End();
        return calendar;
    }

    private static Duration? AnchorRequired(JsonSection section)
    {
        var most = DurationAt(section, "anchorRequired", Duration.Zero, Duration.FromDays(30), Duration.Zero);
        return most > Duration.Zero ? most : null;
    }

    private static LimitsConfiguration Limits(JsonSection section, TierPreset preset)
    {
        var limits = new LimitsConfiguration
        {
            ViewLagRecords = Number(section, "viewLag", 100, 10_000_000, 10_000),
            RequestBytes = Number(section, "requestBytes", 64 << 10, 64 << 20, 4 << 20),
            LinkMessageBytes = Number(section, "linkMessageBytes", 1 << 20, 64 << 20, 8 << 20),
            OperatorConnections = Number(section, "operatorConnections", 4, 10_000, 500),
            LinkConnections = Number(section, "linkConnections", 1, 10_000, preset.LinkConnections),
            LinkHandshakes = Number(section, "linkHandshakes", 4, 10_000, 256),
            LinkHandshakesPerAddress = Number(section, "linkHandshakesPerAddress", 1, 10_000, 32),
            HandshakeTime = DurationAt(section, "handshakeTime", Duration.FromSeconds(1), Duration.FromMinutes(1), Duration.FromSeconds(5)),
            LinkConnectionsPerPeer = Number(section, "linkConnectionsPerPeer", 1, 1_000, 8),
            LinkStreamsPerPeer = Number(section, "linkStreamsPerPeer", 1, 1_000, 32),
            EscalationsPerHour = Number(section, "escalationsPerHour", ReceiverSettings.EscalationsMax, 100_000_000, ChildBounds.Usual.EscalationsPerHour),
            CellsPerChild = Number(section, "cellsPerChild", 10_000, 100_000_000, ChildBounds.Usual.Cells),
            CallsUnderWay = Number(section, "callsUnderWay", 4, 100_000, 512),
            CallsPerUser = Number(section, "callsPerUser", 1, 1_000_000, 2_000),
            ReadsPerUser = Number(section, "readsPerUser", 1, 1_000_000, 200),
            CallsPerAddress = Number(section, "callsPerAddress", 1, 1_000_000, 200),
            CallTime = DurationAt(section, "callTime", Duration.FromSeconds(1), Duration.FromHours(1), Duration.FromMinutes(1)),
            MemoryMegabytes = Number(section, "memoryMegabytes", 0, 1 << 20, 0),
            DiskReserveMegabytes = Number(section, "diskReserveMegabytes", 0, 1 << 20, 64),
            SegmentBytes = Number(section, "segmentBytes", 16 << 10, 1 << 30, (int)Hub.Journal.JournalLimits.SegmentBytes),
            Shutdown = DurationAt(section, "shutdown", Duration.FromSeconds(1), Duration.FromMinutes(5), Duration.FromSeconds(8)),
        };
        section.End();
        return limits;
    }

    private LogConfiguration Log(JsonSection section)
    {
        var log = new LogConfiguration
        {
            Folder = OptionalPathAt(section, "folder", "the path of a folder for log files; without it the log goes to the console alone", mustExist: false),
            Level = section.Optional<LogLevel>("level", $"one of {JsonReads.Names(Enum.GetValues<LogLevel>())}", JsonReads.TryReadName, LogLevel.Information, "information"),
            FileBytes = Number(section, "fileBytes", 64 << 10, 1 << 30, 64 << 20),
            Files = Number(section, "files", 1, 1000, 14),
        };
        section.End();
        return log;
    }

    private static int Number(JsonSection section, string key, int least, int most, int fallback) => section.Optional(
        key,
        $"a whole number from {Invariant(least)} to {Invariant(most)}",
        JsonReads.Whole(least, most),
        fallback,
        Invariant(fallback));

    private static string Invariant(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static Duration DurationAt(JsonSection section, string key, Duration least, Duration most, Duration fallback) => section.Optional(
        key, $"{DurationAllowed}, from {JsonReads.Shown(least)} to {JsonReads.Shown(most)}", JsonReads.Span(least, most), fallback, JsonReads.Shown(fallback));

    private string PathAt(JsonSection section, string key, string allowed, string? fallback, bool mustExist)
    {
        var read = JsonReads.Text<string>(TryParsePath);
        var text = fallback is null ? section.Required(key, allowed, read, string.Empty) : section.Optional(key, allowed, read, fallback, fallback);
        return text.Length == 0 ? text : Checked(section, key, Absolute(text), mustExist);
    }

    private string? OptionalPathAt(JsonSection section, string key, string allowed, bool mustExist = true)
    {
        var text = section.Optional(key, allowed, JsonReads.Text<string>(TryParsePath), string.Empty, "none");
        return text.Length == 0 ? null : Checked(section, key, Absolute(text), mustExist);
    }

    private string Checked(JsonSection section, string key, string path, bool mustExist)
    {
        if (mustExist && !exists(path))
        {
            section.Fault(key, $"there is no such file ({path})");
        }

        return path;
    }

    private string Absolute(string path) => Path.GetFullPath(path, _folder);

    private static bool TryReadDay(System.Text.Json.JsonElement element, out IsoDayOfWeek day) =>
        JsonReads.TryReadName(element, out day) && day != IsoDayOfWeek.None;

    private static bool TryParsePath(string? text, out string path)
    {
        path = text ?? string.Empty;
        return path.Length is > 0 and <= 4096 && path.AsSpan().Trim().Length == path.Length && !path.Contains('\0');
    }

    private static bool TryParseBeginning(string? text, out string beginning)
    {
        var read = Matters.TryParseBeginning(text, out var found);
        beginning = found ?? string.Empty;
        return read;
    }

    private static bool TryParseZone(string? text, out DateTimeZone zone)
    {
        zone = text is null ? DateTimeZone.Utc : DateTimeZoneProviders.Tzdb.GetZoneOrNull(text) ?? DateTimeZone.Utc;
        return text is not null && DateTimeZoneProviders.Tzdb.GetZoneOrNull(text) is not null;
    }

    private static bool TryParseAddress(string? text, out IPAddress address)
    {
        var read = IPAddress.TryParse(text, out var found);
        address = found ?? IPAddress.Loopback;
        return read;
    }

    private static bool TryParseUrl(string? text, out Uri url)
    {
        var read = Uri.TryCreate(text, UriKind.Absolute, out var found);
        url = found ?? new Uri("https://localhost");
        return read && url.Scheme == Uri.UriSchemeHttps && url is { PathAndQuery: "/", Fragment.Length: 0, UserInfo.Length: 0 };
    }

    private static bool TryParseProxy(string? text, out Uri? url) =>
        Uri.TryCreate(text, UriKind.Absolute, out url) && url.Scheme == Uri.UriSchemeHttp && url is { PathAndQuery: "/", Fragment.Length: 0, UserInfo.Length: 0 };

    private static bool TryParseCron(string? text, out string expression)
    {
        expression = text ?? string.Empty;
        return CronExpression.TryParse(expression, out _);
    }
}
