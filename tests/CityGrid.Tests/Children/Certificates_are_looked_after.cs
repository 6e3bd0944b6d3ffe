using CityGrid.Hub.Children;
using CityGrid.Hub.Reception;
using CityGrid.Node.Configuration;
using CityGrid.Node.Enrolment;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Reception;
using NUnit.Framework;

namespace CityGrid.Tests.Children;

/// <summary>Clause E6, feature C1: renewed at two thirds of their life while the node runs; 30, 14 and 7 days ahead of an end both ends say so, once each.</summary>
public sealed class Certificates_are_looked_after
{
    private readonly List<(string Code, string What)> _told = [];
    private Network _network = null!;

    [SetUp]
    public async Task Start()
    {
        _told.Clear();
        _network = await Network.StartAsync(life: TimeSpan.FromDays(90));
    }

    [TearDown]
    public async Task Stop() => await _network.DisposeAsync();

    [Test]
    public async Task At_two_thirds_of_its_life_the_childs_is_renewed_over_its_link_and_taken_up_without_a_restart()
    {
        var (watch, credentials) = await ChildAsync(_network.Link);
        var before = credentials.Credential();
        _network.Clock.Move(TimeSpan.FromDays(59));
        await watch.LookAsync(CancellationToken.None);
        Assert.That(_told, Is.Empty, "a day early");

        _network.Clock.Move(TimeSpan.FromDays(2));
        await watch.LookAsync(CancellationToken.None);
        await watch.LookAsync(CancellationToken.None);

        var place = _network.Desk.Fold.Find(Network.Wuhan)!;
        Assert.Multiple(() =>
        {
            Assert.That(_told.Select(t => t.Code), Is.EqualTo(new[] { CertificateWatch.Renewed }));
            Assert.That(credentials.Credential().Certificate.SerialNumber, Is.EqualTo(place.Newest(CertificateKind.Link)!.Serial).IgnoreCase.And.Not.EqualTo(before.Certificate.SerialNumber));
            Assert.That(place.Certificates.Count(c => c.Kind == CertificateKind.Signer), Is.EqualTo(2), "both kinds together");
            Assert.That(watch.Own().Select(c => c.NotAfter), Has.All.GreaterThan(_network.Core.Now + NodaTime.Duration.FromDays(89)));
        });
        Assert.That(await _network.Dial(credentials.Credential()).IsWelcomeAsync(new Child("wuhan", "4201")), Is.True);
    }

    [Test]
    public async Task What_a_sectors_parent_issued_is_renewed_there_whatever_becomes_of_the_other()
    {
        var (watch, credentials) = await BesideASectorAsync();
        var (territorial, sector) = (credentials.Credential(), credentials.CredentialFor(ParentKind.Sector));
        Assert.That(sector.Certificate.SerialNumber, Is.Not.EqualTo(territorial.Certificate.SerialNumber));
        Assert.That(credentials.CredentialFor(ParentKind.Territorial), Is.SameAs(territorial));
        _network.Clock.Move(TimeSpan.FromDays(61));
        await watch.LookAsync(CancellationToken.None);

        var newest = _network.Desk.Fold.Find(Network.Wuhan)!.Newest(CertificateKind.Link)!.Serial;
        Assert.Multiple(() =>
        {
            Assert.That(credentials.CredentialFor(ParentKind.Sector).Certificate.SerialNumber, Is.EqualTo(newest).IgnoreCase.And.Not.EqualTo(sector.Certificate.SerialNumber));
            Assert.That(credentials.Credential().Certificate.SerialNumber, Is.EqualTo(territorial.Certificate.SerialNumber));
            Assert.That(_told.Select(t => t.Code), Is.EqualTo(new[] { CertificateWatch.Renewed }));
            Assert.That(_told[0].What, Does.Contain("for its sector's parent"));
        });
        Assert.That(await _network.Dial(credentials.CredentialFor(ParentKind.Sector)).IsWelcomeAsync(new Child("wuhan", "4201")), Is.True);
        Assert.That(await _network.Dial(credentials.Credential()).IsWelcomeAsync(new Child("wuhan", "4201")), Is.False, "the certificate of another parent is not one of the sector's");
    }

    [Test]
    public async Task Files_for_the_sector_that_cannot_be_used_hold_up_nothing_else()
    {
        var (watch, credentials) = await BesideASectorAsync();
        var (territorial, sector) = (credentials.Credential(), credentials.CredentialFor(ParentKind.Sector));
        using var hunan = _network.Below(_network.Ministry, "hunan", "43", "42");
        using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        var issued = hunan.Issue(
            CertificateKind.Link, Network.Wuhan, [DivisionCode.Parse("4201")], new(key), _network.Clock.GetUtcNow(), TimeSpan.FromDays(397), Hub.Identity.CertificateAuthority.SerialFrom(_network.Entropy));
        CredentialFiles.Write(credentials.Files.Pairs[0].Certificate, Network.PemOf(issued, hunan));
        CredentialFiles.Write(credentials.Files.Pairs[0].Key, key.ExportPkcs8PrivateKeyPem());
        File.Delete(credentials.SectorFiles!.Pairs[0].Certificate);
        await watch.LookAsync(CancellationToken.None);
        await watch.LookAsync(CancellationToken.None);
        await watch.LookAsync(CancellationToken.None);
        Assert.Multiple(() =>
        {
            Assert.That(credentials.Credential().Certificate.RawData, Is.EqualTo(issued.Der.ToArray()).And.Not.EqualTo(territorial.Certificate.RawData));
            Assert.That(credentials.CredentialFor(ParentKind.Sector), Is.SameAs(sector));
            Assert.That(_told.Select(t => t.Code), Is.EqualTo(new[] { CertificateWatch.ReadAgain, "CERTIFICATES_UNUSABLE" }));
            Assert.That(_told[1].What, Does.Contain("sectorParent.certificate"));
        });
    }

    [Test]
    public async Task A_sector_of_another_network_is_not_enrolled_at()
    {
        var folder = Directory.CreateDirectory(_network.Folder("stranger")).FullName;
        var files = CredentialFiles.In(folder, authority: false);
        var enrollee = new Enrollee(Network.Wuhan, DivisionCode.Parse("4201"), Registers.Tempting, files) { KeepsRoot = true };
        var code = await _network.OpenAsync("wuhan", "4201");
        Assert.That(() => _network.EnrolAsync(code, enrollee), Throws.TypeOf<EnrolmentRefusedException>().With.Message.StartsWith("NETWORK_IS_ANOTHER"), "there is no root yet");
        await File.WriteAllTextAsync(files.Root, Network.PemOf(_network.Province.Root));
        await using var other = await Network.StartAsync();
        await File.WriteAllTextAsync(files.Root, Network.PemOf(other.Ministry.Root));
        Assert.That(() => _network.EnrolAsync(code, enrollee), Throws.TypeOf<EnrolmentRefusedException>().With.Message.StartsWith("NETWORK_IS_ANOTHER"));
        Assert.That(Directory.GetFiles(folder), Is.EqualTo(new[] { files.Root }), "nothing was made for it");
        Assert.That(_network.Desk.Fold.Find(Network.Wuhan)!.Opening!.Used, Is.False);
    }

    [Test]
    public async Task What_is_signed_and_issued_after_a_renewal_is_by_the_new_signer_and_the_new_authority()
    {
        var (watch, credentials) = await ChildAsync(_network.Link, authority: true);
        var (signer, authority) = (credentials.Signatures.Own!, credentials.Authority());
        _network.Clock.Move(TimeSpan.FromDays(61));
        await watch.LookAsync(CancellationToken.None);

        var place = _network.Desk.Fold.Find(Network.Wuhan)!;
        Assert.Multiple(() =>
        {
            Assert.That(credentials.Signatures.Own!.Signer.Fingerprint, Is.EqualTo(Hash256.Of(place.Newest(CertificateKind.Signer)!.Der.Span)).And.Not.EqualTo(signer.Signer.Fingerprint));
            Assert.That(credentials.Authority().Certificate.RawData, Is.EqualTo(place.Newest(CertificateKind.Authority)!.Der.ToArray()).And.Not.EqualTo(authority.Certificate.RawData));
            Assert.That(watch.Own().Select(c => (c.Kind, c.Serial)), Is.EquivalentTo(place.Certificates.TakeLast(3).Select(c => (c.Kind, c.Serial))));
        });
        Assert.That(credentials.Signatures.Judge(signer.Signer.Certificates, _network.Core.Now, out _), Is.Not.Null, "what a standing connection has shown is signed on by the old one");
        _network.Clock.Move(TimeSpan.FromDays(40));
        Assert.That(credentials.Signatures.Judge(signer.Signer.Certificates, _network.Core.Now, out var ended), Is.Null);
        Assert.That(ended!.Code, Is.EqualTo("SIGNER_OUT_OF_TIME"));
        Assert.That(credentials.Signatures.Judge(credentials.Signatures.Own!.Signer.Certificates, _network.Core.Now, out _), Is.Not.Null);
    }

    [Test]
    public async Task It_is_the_signer_in_use_of_whose_end_is_warned_and_not_one_that_merely_lies_in_the_file()
    {
        var (watch, credentials) = await ChildAsync(new Uri("https://127.0.0.1:1"));
        var inUse = credentials.Signatures.Own!;
        var signer = credentials.Files.Pairs.Single(p => p.Kind == CertificateKind.Signer);
        File.WriteAllText(signer.Certificate, _network.SignerOf("xiantao", "429004").Certificate);
        for (var looks = 0; looks < 3; looks++)
        {
            await watch.LookAsync(CancellationToken.None);
        }

        Assert.That(credentials.Signatures.Own, Is.SameAs(inUse));
        Assert.That(_told.Select(t => t.Code), Is.EqualTo(new[] { "CERTIFICATES_UNUSABLE" }), "told once, at the second look: the first may see half of a change");
        Assert.That(_told[0].What, Does.Contain("link.signingCertificate").And.Contain("SIGNER_OF_ANOTHER"));

        _told.Clear();
        _network.Clock.Move(TimeSpan.FromDays(85));
        await watch.LookAsync(CancellationToken.None);
        Assert.That(_told.Where(t => t.Code == "CERTIFICATE_ENDS").Select(t => t.What), Has.One.Contains("Signer certificate of wuhan"));
    }

    [Test]
    public async Task Where_the_parent_is_not_reached_the_child_says_so_and_warns_as_the_end_comes_near()
    {
        var (watch, _) = await ChildAsync(new Uri("https://127.0.0.1:1"));
        _network.Clock.Move(TimeSpan.FromDays(59));
        await watch.LookAsync(CancellationToken.None);
        Assert.That(_told, Is.Empty);

        foreach (var (days, left) in new[] { (2, 28), (15, 13), (7, 6) })
        {
            _told.Clear();
            _network.Clock.Move(TimeSpan.FromDays(days));
            await watch.LookAsync(CancellationToken.None);
            await watch.LookAsync(CancellationToken.None);
            Assert.That(_told.Select(t => t.Code), Is.EqualTo(new[] { "CERTIFICATE_NOT_RENEWED", "CERTIFICATE_ENDS", "CERTIFICATE_ENDS" }), "tried once an hour, warned once a step, of both certificates");
            Assert.That(_told[1].What, Does.Contain($"in {left} days"));
        }

        _told.Clear();
        _network.Clock.Move(TimeSpan.FromDays(8));
        await watch.LookAsync(CancellationToken.None);
        Assert.That(_told[1].What, Does.Contain("ended on"));
    }

    [Test]
    public async Task The_parent_warns_of_its_childrens_and_not_of_one_that_it_retired()
    {
        await _network.TakeInAsync("xiantao", "429004");
        await _network.TakeInAsync("gone", "429004");
        await _network.DoAsync(_network.Desk.Retire(NodeId.Parse("gone"), "merged", "keeper"));
        var (watch, _) = await ChildAsync(_network.Link);
        var parent = new CertificateWatch(ConfigurationOf(_network.Link), CredentialsOf(_network.Link), _network.Core.ChildrenFold, _network.Clock, _network.Entropy);
        Assert.That(parent.OfChildren().Select(c => c.Node.ToString()), Is.EqualTo(new[] { "wuhan", "xiantao" }));

        _network.Clock.Move(TimeSpan.FromDays(77));
        var near = parent.OfChildren().Select(c => (c.Node.ToString(), c.NearAt(_network.Core.Now)));

        Assert.That(near, Is.EqualTo(new[] { ("wuhan", EndNear.Within14Days), ("xiantao", EndNear.Within14Days) }));
    }

    [TestCase(31, EndNear.Far)]
    [TestCase(30, EndNear.Within30Days)]
    [TestCase(14, EndNear.Within14Days)]
    [TestCase(7, EndNear.Within7Days)]
    [TestCase(0, EndNear.Ended)]
    public void The_steps_are_these(int daysLeft, EndNear expected)
    {
        var end = new CertificateEnd(Network.Wuhan, CertificateKind.Link, "5a", Parent.Noon, Parent.Noon + NodaTime.Duration.FromDays(90));
        Assert.That(end.NearAt(end.NotAfter - NodaTime.Duration.FromDays(daysLeft)), Is.EqualTo(expected));
        Assert.That(end.IsDueAt(Parent.Noon + NodaTime.Duration.FromDays(60)), Is.True);
        Assert.That(end.IsDueAt(Parent.Noon + NodaTime.Duration.FromDays(60) - NodaTime.Duration.FromSeconds(1)), Is.False);
    }

    [Test]
    public async Task Half_of_a_change_by_hand_leaves_what_is_in_force_and_the_whole_is_taken_up()
    {
        var (watch, credentials) = await ChildAsync(_network.Link);
        var before = credentials.Credential();
        var other = _network.Enrollee("xiantao", "429004");
        await _network.EnrolAsync(await _network.OpenAsync("xiantao", "429004"), other);

        File.Copy(other.Files.Pairs[0].Certificate, credentials.Files.Pairs[0].Certificate, overwrite: true);
        await watch.LookAsync(CancellationToken.None);
        Assert.That(credentials.Credential(), Is.SameAs(before));
        File.Copy(other.Files.Pairs[0].Key, credentials.Files.Pairs[0].Key, overwrite: true);
        await watch.LookAsync(CancellationToken.None);

        Assert.That(credentials.Credential(), Is.Not.SameAs(before));
        Assert.That(_told.Select(t => t.Code), Is.EqualTo(new[] { CertificateWatch.ReadAgain }));
    }

    [Test]
    public void The_node_at_the_root_founds_its_network_and_renews_its_own()
    {
        var file = Path.Combine(_network.Folder("ministry"), "node.json");
        var reading = ConfigurationFile.Read("""
            {
              "node": "ministry", "division": "CN", "tier": "ministry", "zone": "Asia/Shanghai",
              "link": { "certificate": "node.pem", "key": "node.key", "authority": "root.pem" },
              "children": { "authority": "ca.pem", "authorityKey": "ca.key", "certificateLife": "90d" }
            }
            """, file, _ => true);
        RootCeremony.Hold(reading.Configuration!, _network.Clock, _network.Entropy);
        var credentials = new NodeCredentials(reading.Configuration!, Hub.Divisions.DivisionRegister.BuiltIn, _network.Clock);
        var watch = new CertificateWatch(reading.Configuration!, credentials, new ChildrenFold(), _network.Clock, _network.Entropy) { Told = (code, what) => _told.Add((code, what)) };
        var before = credentials.Credential();
        _network.Clock.Move(TimeSpan.FromDays(61));

        watch.LookAsync(CancellationToken.None).GetAwaiter().GetResult();

        Assert.That(_told.Select(t => t.Code), Is.EqualTo(new[] { CertificateWatch.Renewed }));
        Assert.That(credentials.Credential(), Is.Not.SameAs(before));
        Assert.That(() => RootCeremony.Hold(reading.Configuration!, _network.Clock, _network.Entropy), Throws.TypeOf<EnrolmentRefusedException>().With.Message.StartsWith("ROOT_EXISTS"));
    }

    [Test]
    public void A_root_whose_files_are_none_founds_nothing()
    {
        var folder = Directory.CreateDirectory(_network.Folder("ministry")).FullName;
        var reading = ConfigurationFile.Read("""
            {
              "node": "ministry", "division": "CN", "tier": "ministry", "zone": "Asia/Shanghai",
              "link": { "certificate": "node.pem", "key": "node.key", "authority": "root.pem" },
              "children": { "authority": "ca.pem", "authorityKey": "ca.key" }
            }
            """, Path.Combine(folder, "node.json"), _ => true);
        File.WriteAllText(Path.Combine(folder, "ca.pem"), Network.PemOf(_network.Ministry.Root));
        File.WriteAllText(Path.Combine(folder, "ca.key"), "no key");

        Assert.That(() => RootCeremony.Hold(reading.Configuration!, _network.Clock, _network.Entropy), Throws.TypeOf<EnrolmentRefusedException>().With.Message.StartsWith("ROOT_UNUSABLE"));
    }

    private async Task<(CertificateWatch Watch, NodeCredentials Credentials)> ChildAsync(Uri parent, bool authority = false)
    {
        var configuration = ConfigurationOf(parent, authority);
        await _network.EnrolAsync(
            await _network.OpenAsync("wuhan", authority, "4201"), new Enrollee(configuration.Node, configuration.Division, Registers.Tempting, CredentialFiles.Of(configuration)));
        var credentials = new NodeCredentials(configuration, Registers.Tempting, _network.Clock);
        return (new CertificateWatch(configuration, credentials, new ChildrenFold(), _network.Clock, _network.Entropy) { Told = (code, what) => _told.Add((code, what)) }, credentials);
    }

    /// <summary>A city of some other province, whose sector's parent is Hubei.</summary>
    private async Task<(CertificateWatch Watch, NodeCredentials Credentials)> BesideASectorAsync()
    {
        var reading = ConfigurationFile.Read($$"""
        {
          "node": "wuhan", "division": "4201", "tier": "city", "zone": "Asia/Shanghai",
          "link": { "port": 0, "certificate": "node.pem", "key": "node.key", "authority": "root.pem" },
          "parent": { "url": "https://127.0.0.1:9", "node": "hunan", "division": "43" },
          "sectorParent": { "url": "https://127.0.0.1:{{_network.Link.Port}}", "node": "hubei", "division": "42", "certificate": "sector.pem", "key": "sector.key" }
        }
        """, Path.Combine(Directory.CreateDirectory(_network.Folder("beside")).FullName, "node.json"), _ => true);
        Assert.That(reading.Faults, Is.Empty);
        var configuration = reading.Configuration!;
        using (var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256))
        {
            using var hunan = _network.Below(_network.Ministry, "hunan", "43", "42");
            var issued = hunan.Issue(
                CertificateKind.Link, configuration.Node, [configuration.Division], new(key), _network.Clock.GetUtcNow(), TimeSpan.FromDays(397), Hub.Identity.CertificateAuthority.SerialFrom(_network.Entropy));
            CredentialFiles.Write(configuration.Link.CertificateFile, Network.PemOf(issued, hunan));
            CredentialFiles.Write(configuration.Link.KeyFile, key.ExportPkcs8PrivateKeyPem());
            CredentialFiles.Write(configuration.Link.AuthorityFile, Network.PemOf(_network.Ministry.Root));
        }

        var enrollee = new Enrollee(configuration.Node, configuration.Division, Registers.Tempting, CredentialFiles.OfSector(configuration)!) { KeepsRoot = true };
        await _network.EnrolAsync(await _network.OpenAsync("wuhan", "4201"), enrollee);
        var credentials = new NodeCredentials(configuration, Registers.Tempting, _network.Clock);
        return (new CertificateWatch(configuration, credentials, new ChildrenFold(), _network.Clock, _network.Entropy) { Told = (code, what) => _told.Add((code, what)) }, credentials);
    }

    private NodeCredentials CredentialsOf(Uri parent) => new(ConfigurationOf(parent), Registers.Tempting, _network.Clock);

    private NodeConfiguration ConfigurationOf(Uri parent, bool authority = false)
    {
        var reading = ConfigurationFile.Read($$"""
        {
          "node": "wuhan", "division": "4201", "tier": "city", "zone": "Asia/Shanghai",
          "link": { "port": 0, "certificate": "node.pem", "key": "node.key", "authority": "root.pem", "signingCertificate": "signer.pem", "signingKey": "signer.key" },
          {{(authority ? """ "children": { "authority": "ca.pem", "authorityKey": "ca.key" }, """ : string.Empty)}}
          "parent": { "url": "https://127.0.0.1:{{parent.Port}}", "node": "hubei", "division": "42" }
        }
        """, Path.Combine(_network.Folder("wuhan"), "node.json"), _ => true);
        Assert.That(reading.Faults, Is.Empty);
        return reading.Configuration!;
    }
}
