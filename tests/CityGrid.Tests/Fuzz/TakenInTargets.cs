using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.RegularExpressions;
using CityGrid.Cli;
using CityGrid.Cli.Network;
using CityGrid.Hub.Backup;
using CityGrid.Hub.Children;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Sealing;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Node.Enrolment;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using CityGrid.Tests.Children;
using CityGrid.Tests.Identity;
using CityGrid.Tests.Reception;
using Google.Protobuf;

namespace CityGrid.Tests.Fuzz;

/// <summary>How a node is taken in, from both ends; and what people put beside a node: certificates and keys, secrets, a tree that was written; and the small files of a data directory.</summary>
internal static class TakenInTargets
{
    private static readonly NodeId Wuhan = NodeId.Parse("wuhan");

    private static readonly Lazy<Office> Open = new(() => new Office());

    /// <summary>Ends with the process: what is in it is written anew for each input.</summary>
    private static readonly Lazy<string> Folder = new(() => Directory.CreateTempSubdirectory("citygrid-fuzz-").FullName);

    private static readonly Lazy<byte[]> Block = new(() =>
    {
        var disk = new ModelDisk();
        disk.CreateFolder("keys");
        KeyBlock.Write(disk, "keys", 3, new SeededEntropy(4));
        return disk.Bytes($"keys/{KeyBlock.Name(3)}");
    });

    private static readonly Lazy<byte[]> KeyBlockHead = new(() => Block.Value[..28]);

    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        new("enrolment-code", Shape.Text, 5_000, () => [FuzzTargets.Text($"{Open.Value.Code}"), FuzzTargets.Text($" {Open.Value.Code}\n")], EnrolmentCodeText) { Words = ["citygrid1", ":", "hubei"] },
        new("enrolment-request", Shape.Protobuf, 300, () => [Open.Value.Request().ToByteArray()], EnrolmentRequestBytes) { Words = ["wuhan", "4201", "42", "43"], BytesPerByte = 40_000 },
        new("enrolment-answer", Shape.Protobuf, 150, () => [Open.Value.Answer.ToByteArray()], EnrolmentAnswerBytes) { BytesPerByte = 60_000 },
        new("pem-files", Shape.Text, 300, () => [FuzzTargets.Text(Open.Value.LinkPem), FuzzTargets.Text(Open.Value.SignerPem), FuzzTargets.Text(Open.Value.AuthorityPem)], PemFiles) { Words = ["-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "-----BEGIN ENCRYPTED PRIVATE KEY-----", "-----BEGIN EC PRIVATE KEY-----"], BytesPerByte = 60_000 },
        new("tree-json", Shape.Text, 1_000, () => [FuzzTargets.Text(TreeJson())], TreeJsonText) { Words = ["node", "tokens", "admin", "grpcPort", "7081", "null", "[null]"] },
        new("backup-key", Shape.Text, 5_000, () => [FuzzTargets.Text(BackupKey.ToText(new byte[BackupKey.KeyBytes])), FuzzTargets.Text("four words that nobody guesses\n")], BackupKeyText) { Words = ["citygrid-backup-key "] },
        new("key-block", Shape.Bytes, 1_000, () => [KeyBlockHead.Value], KeyBlockBytes) { Mend = MendKeyBlock },
        new("lock-line", Shape.Text, 5_000, () => [LockLines()], LockLine) { Mend = MendLock, Words = ["fencing=", "file=", "crc=", "incarnation="] },
    ];

    /// <summary>A code is read as it is written, and nothing else is one.</summary>
    private static string EnrolmentCodeText(byte[] input)
    {
        var text = Encoding.UTF8.GetString(input);
        if (!EnrolmentCode.TryParse(text, out var code))
        {
            return "none";
        }

        FuzzTargets.Sound(EnrolmentCode.TryParse($"{code}", out var again) && $"{again}" == $"{code}" && string.Equals($"{code}", text.Trim(), StringComparison.OrdinalIgnoreCase), "a code is read as it is written");
        return "a code";
    }

    /// <summary>Who asks for a place: only who has the code is given certificates, and only the place's own name and divisions stand in them.</summary>
    private static string EnrolmentRequestBytes(byte[] input)
    {
        if (MessageBounds.Fault(input, EnrolRequest.Descriptor) is { } bound)
        {
            return FuzzTargets.Shortened(bound);
        }

        EnrolRequest request;
        try
        {
            request = EnrolRequest.Parser.ParseFrom(input);
        }
        catch (InvalidProtocolBufferException)
        {
            return "no message";
        }

        if (!NodeId.TryParse(request.Node, out var node) || !DivisionCode.TryParse(request.Division, out var division))
        {
            return "no name";
        }

        var decision = Open.Value.Desk.Enrol(node, division, request.Secret.Memory, [.. request.Requests]).Decide(Parent.Noon);
        var answer = decision.Answer([.. decision.Records.Select(_ => new LsnRange(new Lsn(9), new Lsn(9), Parent.Noon))]);
        FuzzTargets.Sound(answer.Refusal is null == answer.Certificates.Count > 0 && decision.Records.Count <= 1, "given or refused, with one record at most");
        FuzzTargets.Sound(answer.Refusal is not null || (node == Wuhan && request.Secret.Span.SequenceEqual(Open.Value.Code.Secret.Span)), "only who has the code is taken in");
        foreach (var given in answer.Certificates)
        {
            using var certificate = X509CertificateLoader.LoadCertificate(given.Der.Span);
            FuzzTargets.Sound(PeerCertificate.DivisionsOf(certificate) is [var named] && named == DivisionCode.Parse("4201"), "a certificate names the place's divisions");
            FuzzTargets.Sound(given.Kind != CertificateKind.Link || PeerCertificate.Read(certificate, Open.Value.Between, Open.Value.Trust, PeerUse.Client, Parent.Noon.ToDateTimeOffset(), out _)?.Node == Wuhan, "and its node");
        }

        return $"{answer.Refusal?.Code} {answer.Certificates.Count} {decision.Records.Count}";
    }

    /// <summary>What a parent gives: the child installs what fits its keys and is of its network, or refuses and touches no file.</summary>
    private static string EnrolmentAnswerBytes(byte[] input)
    {
        EnrolResponse answer;
        try
        {
            answer = EnrolResponse.Parser.ParseFrom(input);
        }
        catch (InvalidProtocolBufferException)
        {
            return "no message";
        }

        var folder = Directory.CreateDirectory(Path.Combine(Folder.Value, "enrolled")).FullName;
        foreach (var file in Directory.GetFiles(folder))
        {
            File.Delete(file);
        }

        var enrollee = new Enrollee(Wuhan, DivisionCode.Parse("4201"), Registers.Tempting, CredentialFiles.In(folder, authority: false));
        var clock = new VirtualClock(new VirtualTime(Parent.Noon.ToDateTimeOffset()));
        try
        {
            new EnrolmentClient(clock).Install(enrollee, new EnrolmentClient.Given([.. answer.Certificates], [.. answer.Between]), Open.Value.Trust, pair => Open.Value.KeyOf(pair.Kind), Open.Value.Root);
        }
        catch (EnrolmentRefusedException refused)
        {
            FuzzTargets.Sound(Directory.GetFiles(folder).Length == 0, "who refuses touches no file");
            return $"{refused.Refusal.Code} {FuzzTargets.Shortened(refused.Refusal.Message)}";
        }

        foreach (var pair in enrollee.Files.Pairs)
        {
            using var key = Open.Value.KeyOf(pair.Kind);
            using var installed = X509Certificate2.CreateFromPem(File.ReadAllText(pair.Certificate), key.ExportPkcs8PrivateKeyPem());
        }

        return $"installed {Math.Min(answer.Between.Count, 4)}";
    }

    /// <summary>Certificates and keys in files of an operator, by everything that reads such: each takes them or refuses in its declared way.</summary>
    private static string PemFiles(byte[] input)
    {
        var text = Encoding.UTF8.GetString(input);
        var good = Open.Value;
        string Way(Action read)
        {
            try
            {
                read();
                return "read";
            }
            catch (CryptographicException)
            {
                return "refused";
            }
        }

        var (certificates, key) = Regex.Match(text, "-----BEGIN [A-Z ]*KEY") is { Success: true, Index: var at } ? (text[..at], text[at..]) : (text, text);
        var signer = CertificateSignatures.Read(certificates, key, Wuhan, good.Trust.Roots, Parent.Noon, out var refusal);
        FuzzTargets.Sound(signer is null != refusal is null && (signer is null || signer.Signer.Node == Wuhan), "a signer of this node, or refused");
        return string.Join(
            ' ',
            Way(() => LinkCredential.Read(certificates, key)),
            Way(() => CertificateAuthority.Open(certificates, key, good.RootPem).Dispose()),
            Way(() => CertificateAuthority.Open(good.AuthorityPem, good.AuthorityPem, text).Dispose()),
            Way(() => new X509Certificate2Collection().ImportFromPem(text)),
            refusal?.Code ?? "signer");
    }

    private static string TreeJson()
    {
        var folder = Directory.CreateDirectory(Path.Combine(Folder.Value, "tree")).FullName;
        new WrittenTree(folder, [new TreeNode("hangzhou", "330100", "杭州市", "city", null, "node.json", 0, 7080, 7081, new Dictionary<string, string> { ["admin"] = "kept", ["desk"] = "worked" })]).Save();
        return File.ReadAllText(Path.Combine(folder, WrittenTree.FileName));
    }

    /// <summary>A file of the name of a written tree, in a folder where a command is called: it has a token for the node, or none.</summary>
    private static string TreeJsonText(byte[] input)
    {
        var folder = Directory.CreateDirectory(Path.Combine(Folder.Value, "tree")).FullName;
        File.WriteAllBytes(Path.Combine(folder, WrittenTree.FileName), input);
        try
        {
            return NodeCall.TokenFor("http://127.0.0.1:7081", null, NodeCall.Keeper, folder).Length > 0 ? "a token" : "an empty one";
        }
        catch (IOException none)
        {
            return FuzzTargets.Shortened(none.Message);
        }
    }

    private static string BackupKeyText(byte[] input)
    {
        var key = BackupKey.Parse(Encoding.UTF8.GetString(input), out var fault);
        FuzzTargets.Sound(key is null == fault.Length > 0, "a key, or why there is none");
        return key is { } read ? $"{read.Source}" : fault;
    }

    /// <summary>The head of a block; the keys behind it are any bytes.</summary>
    private static string KeyBlockBytes(byte[] input)
    {
        using var file = FileOf([.. input, .. Block.Value.AsSpan(KeyBlockHead.Value.Length)]);
        try
        {
            return KeyBlock.Fault(file, "block", 3) is { } fault ? FuzzTargets.Shortened(fault) : "sound";
        }
        catch (NewerFormatException)
        {
            return "newer";
        }
    }

    private static byte[] MendKeyBlock(byte[] bytes)
    {
        var mended = (byte[])bytes.Clone();
        if (mended.Length >= 28)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(mended.AsSpan(24), Crc32C.Of(mended.AsSpan(0, 24)));
        }

        return mended;
    }

    private static byte[] LockLines() => DirectoryLock.LineOf(7, "pid=12 host=h", "5", new FileIdentity(1, 2));

    private static string LockLine(byte[] input)
    {
        using var file = FileOf(input);
        try
        {
            return DirectoryLock.Read(file, "lock") is { } owner ? $"owned {owner.Fencing > 0}" : "nobody's";
        }
        catch (NewerFormatException)
        {
            return "newer";
        }
    }

    private static byte[] MendLock(byte[] bytes)
    {
        var text = Encoding.UTF8.GetString(bytes).TrimEnd();
        return text.LastIndexOf(" crc=", StringComparison.Ordinal) is > 0 and var end ? FuzzTargets.Text($"{text[..end]} crc={Crc32C.Of(FuzzTargets.Text(text[..end])):x8}\n") : bytes;
    }

    private static IDiskFile FileOf(byte[] bytes)
    {
        var disk = new ModelDisk();
        var file = disk.Open("file", DiskAccess.CreateNew);
        file.Write(0, bytes);
        return file;
    }

    /// <summary>Hubei's desk for children, with a place of Wuhan open; and what it gives who has the code.</summary>
    private sealed class Office
    {
        private readonly Dictionary<CertificateKind, string> _keys = [];

        public Office()
        {
            var network = new Issuers(Parent.Noon);
            var fold = new ChildrenFold();
            Desk = new ChildrenDesk(new ChildrenSettings(NodeId.Parse("hubei"), DivisionCode.Parse("42"), Registers.Tempting) { Approval = ApprovalRule.One }, fold, () => network.Hubei, new SeededEntropy(6));
            var opened = Desk.Open(Wuhan, [DivisionCode.Parse("4201")], issues: false, replaces: false, "keeper").Decide(Parent.Noon);
            var lsn = 0L;
            foreach (var draft in opened.Records.SelectMany(record => record.Events))
            {
                fold.Apply(new JournalEvent(new Lsn(++lsn), new Lsn(lsn), new Lsn(lsn), Parent.Noon, "keeper", draft.Kind, draft.Schema, draft.Payload));
            }

            Code = opened.Answer([new LsnRange(new Lsn(1), new Lsn(lsn), Parent.Noon)]).Code!;
            foreach (var kind in new[] { CertificateKind.Link, CertificateKind.Signer })
            {
                using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
                _keys.Add(kind, key.ExportPkcs8PrivateKeyPem());
            }

            Trust = new NetworkTrust(network.Roots, Registers.Tempting);
            Root = network.Hubei.Root.ToArray();
            RootPem = Network.PemOf(network.Hubei.Root);
            Between = [.. network.Hubei.Between.Select(der => X509CertificateLoader.LoadCertificate(der.Span))];
            var given = Desk.Enrol(Wuhan, DivisionCode.Parse("4201"), Code.Secret, [.. Request().Requests]).Decide(Parent.Noon).Answer([new LsnRange(new Lsn(9), new Lsn(9), Parent.Noon)]);
            Answer = new EnrolResponse { Between = { given.Between.Select(der => ByteString.CopyFrom(der.Span)) } };
            Answer.Certificates.AddRange(given.Certificates.Select(one => new GivenCertificate { Kind = one.Kind, Certificate = ByteString.CopyFrom(one.Der.Span) }));
            LinkPem = PemOf(CertificateKind.Link);
            SignerPem = PemOf(CertificateKind.Signer);
            var (root, rootKey) = CertificateAuthority.NewRoot(NodeId.Parse("ministry"), [DivisionCode.Parse("CN")], Parent.Noon.ToDateTimeOffset(), new SeededEntropy(8));
            AuthorityPem = root + rootKey;
        }

        public ChildrenDesk Desk { get; }

        public EnrolmentCode Code { get; }

        public NetworkTrust Trust { get; }

        public byte[] Root { get; }

        public string RootPem { get; }

        public X509Certificate2Collection Between { get; }

        public EnrolResponse Answer { get; }

        public string LinkPem { get; }

        public string SignerPem { get; }

        public string AuthorityPem { get; }

        public ECDsa KeyOf(CertificateKind kind)
        {
            var key = ECDsa.Create();
            key.ImportFromPem(_keys[kind]);
            return key;
        }

        public EnrolRequest Request()
        {
            var request = new EnrolRequest { Node = $"{Wuhan}", Division = "4201", Secret = ByteString.CopyFrom(Code.Secret.Span) };
            foreach (var kind in _keys.Keys)
            {
                using var key = KeyOf(kind);
                request.Requests.Add(new KeyRequest { Kind = kind, Request = ByteString.CopyFrom(CertificateAuthority.AskFor(Wuhan, key)) });
            }

            return request;
        }

        private string PemOf(CertificateKind kind) =>
            Network.PemOf(Answer.Certificates.Single(one => one.Kind == kind).Certificate.Memory) + string.Concat(Answer.Between.Select(der => Network.PemOf(der.Memory))) + _keys[kind] + "\n";
    }
}
