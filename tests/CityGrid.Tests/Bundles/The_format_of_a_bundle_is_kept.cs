using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Bundles;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.Bundles;

/// <summary>
/// INV-27: a bundle may be long on its way, and be read by a later program. Golden/ was made once, because each bundle has a key of its own: with CITYGRID_APPROVE=1
/// what is not there is made, and nothing of it is ever written again. The keys in it are of nobody.
/// </summary>
public sealed class The_format_of_a_bundle_is_kept
{
    private const string Nonce = "CE56971CDE355897421EFC0B";

    private const string SignedHash = "1E114F439AEC44EEC0C58EACF51E617EF573B1575F9ABBE5969D484C0A4850E8";

    private static readonly DateTimeOffset Now = new(2026, 11, 29, 8, 0, 0, TimeSpan.Zero);
    private static readonly NodeId Wuhan = NodeId.Parse("wuhan");
    private static readonly NodeId Hubei = NodeId.Parse("hubei");

    private static readonly BundleContent Content = new()
    {
        ReachesHead = true,
        Requests = { new ConnectRequest { Number = 1, Hello = new Hello { Node = "wuhan", Division = "4201", HeadLsn = 9 } }, new ConnectRequest { Number = 2, Cells = new CellsPart { CutTo = 9, Part = 1, Parts = 1 } } },
        Responses = { new ConnectResponse { Number = 1, Welcome = new Welcome { Node = "hubei", Protocol = 2 } } },
    };

    private static string Golden => Path.Combine(Machine.Repository, "tests", "CityGrid.Tests", "Bundles", "Golden");

    [OneTimeSetUp]
    public void MakeWhatIsNotThere()
    {
        if (Environment.GetEnvironmentVariable("CITYGRID_APPROVE") == "1" && !Directory.Exists(Golden))
        {
            Make();
        }
    }

    [Test]
    public void What_was_made_once_opens_with_what_was_put_in()
    {
        using var reader = Reader();
        var opened = BundleFile.Open(Kept("bundle"), reader, Hubei, new NetworkTrust([Certificate("root.pem")], null), Now, out var refusal);
        Assert.That(refusal, Is.Null);
        Assert.That(opened!.Maker.Node, Is.EqualTo(Wuhan));
        Assert.That(opened.Maker.Divisions, Is.EqualTo(new[] { DivisionCode.Parse("4201") }));
        Assert.That(opened.Content, Is.EqualTo(Content));
    }

    [Test]
    public void Its_parts_stand_where_they_stood()
    {
        var file = Kept("bundle");
        Assert.That(System.Text.Encoding.ASCII.GetString(file[..16]), Is.EqualTo("CITYGRID-BUNDLE\n"));
        var bundle = Bundle.Parser.ParseFrom(file[16..]);
        Assert.That((bundle.Format, bundle.From, bundle.To, bundle.MadeAt, bundle.Certificates.Count, Convert.ToHexString(bundle.Nonce.Span)), Is.EqualTo((1, "wuhan", "hubei", Now.ToUnixTimeSeconds(), 1, Nonce)));
        Assert.That(bundle.ToByteArray(), Is.EqualTo(file[16..]));
        Assert.That(Convert.ToHexString(BundleFile.Signed(bundle)), Is.EqualTo(SignedHash));
    }

    [Test]
    public void One_of_today_has_the_same_shape()
    {
        using var reader = Reader();
        using var authority = DevelopmentAuthority.Create("test", Now, new SeededEntropy(1));
        using var maker = Issued(authority, Wuhan, "4201", out _, out _);
        var (now, then) = (Bundle.Parser.ParseFrom(BundleFile.Make(Content, maker, Wuhan, [], reader, Hubei, Now, new SeededEntropy(2))[16..]), Bundle.Parser.ParseFrom(Kept("bundle")[16..]));
        Assert.That((now.Format, now.From, now.To, now.MadeAt, now.Nonce, now.EphemeralKey.Length, now.Sealed.Length), Is.EqualTo((then.Format, then.From, then.To, then.MadeAt, then.Nonce, then.EphemeralKey.Length, then.Sealed.Length)));
    }

    private static void Make()
    {
        using var authority = DevelopmentAuthority.Create("test", Now, new SeededEntropy(1));
        using var maker = Issued(authority, Wuhan, "4201", out _, out _);
        using var reader = Issued(authority, Hubei, "42", out var certificate, out var key);
        Directory.CreateDirectory(Golden);
        File.WriteAllText(Path.Combine(Golden, "root.pem"), authority.RootPem);
        File.WriteAllText(Path.Combine(Golden, "reader.pem"), certificate);
        File.WriteAllText(Path.Combine(Golden, "reader.key"), key);
        File.WriteAllBytes(Path.Combine(Golden, "bundle"), BundleFile.Make(Content, maker, Wuhan, [], reader, Hubei, Now, new SeededEntropy(2)));
    }

    private static X509Certificate2 Issued(DevelopmentAuthority authority, NodeId node, string division, out string certificate, out string key)
    {
        (certificate, key) = authority.Issue(node, [DivisionCode.Parse(division)]);
        return X509Certificate2.CreateFromPem(certificate, key);
    }

    private static X509Certificate2 Reader() => X509Certificate2.CreateFromPem(File.ReadAllText(Path.Combine(Golden, "reader.pem")), File.ReadAllText(Path.Combine(Golden, "reader.key")));

    private static X509Certificate2 Certificate(string name) => X509Certificate2.CreateFromPem(File.ReadAllText(Path.Combine(Golden, name)));

    private static byte[] Kept(string name) => File.ReadAllBytes(Path.Combine(Golden, name));
}
