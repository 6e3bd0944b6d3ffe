using System.Security.Cryptography;
using CityGrid.Hub.Children;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Seams;
using CityGrid.Node.Enrolment;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Reception;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.Children;

/// <summary>Clauses E3 and E4: the one-time code, over the real port of enrolment.</summary>
public sealed class A_place_is_taken_once
{
    private Network _network = null!;

    [SetUp]
    public async Task Start() => _network = await Network.StartAsync();

    [TearDown]
    public async Task Stop() => await _network.DisposeAsync();

    [Test]
    public async Task With_the_code_and_the_child_has_keys_and_certificates_that_only_its_owner_may_read()
    {
        var enrollee = _network.Enrollee("wuhan", "4201");
        await _network.EnrolAsync(await _network.OpenAsync("wuhan", "4201"), enrollee);

        var files = Directory.GetFiles(_network.Folder("wuhan")).Select(Path.GetFileName).Order().ToArray();
        Assert.That(files, Is.EqualTo(new[] { ".node.pem.code", "authority.pem", "node.key", "node.pem", "signer.key", "signer.pem" }));
        if (!OperatingSystem.IsWindows())
        {
            Assert.That(Directory.GetFiles(_network.Folder("wuhan")).Select(File.GetUnixFileMode).Distinct(), Is.EqualTo(new[] { UnixFileMode.UserRead | UnixFileMode.UserWrite }));
        }

        var place = _network.Desk.Fold.Find(Network.Wuhan)!;
        Assert.Multiple(() =>
        {
            Assert.That(place.StateAt(_network.Core.Now), Is.EqualTo(PlaceState.Enrolled));
            Assert.That(place.Certificates.Select(c => c.Kind), Is.EqualTo(new[] { CertificateKind.Link, CertificateKind.Signer }));
            Assert.That(_network.Dial(Network.CredentialOf(enrollee)).IsWelcomeAsync(new Child("wuhan", "4201")).Result, Is.True);
        });
    }

    [Test]
    public async Task And_the_secret_of_the_code_is_nowhere_in_the_journal()
    {
        var code = await _network.OpenAsync("wuhan", "4201");
        await _network.EnrolAsync(code, _network.Enrollee("wuhan", "4201"));

        var payloads = _network.Core.Journal.ReadFrom(Lsn.Zero).SelectMany(r => r.Events).Select(e => e.Payload.ToArray()).ToArray();
        Assert.That(payloads, Has.Length.EqualTo(3));
        Assert.That(payloads.Where(p => p.AsSpan().IndexOf(code.Secret.Span) >= 0), Is.Empty);
    }

    [Test]
    public async Task And_after_a_lost_answer_the_same_keys_have_the_same_certificates()
    {
        var code = await _network.OpenAsync("wuhan", "4201");
        var enrollee = _network.Enrollee("wuhan", "4201");
        enrollee.Files.Begin(EnrolmentCode.HashOf(code.Secret.Span).ToString());
        var request = new[] { Ask(CertificateKind.Link, enrollee), Ask(CertificateKind.Signer, enrollee) };
        var lost = await _network.DoAsync(_network.Desk.Enrol(enrollee.Node, enrollee.Division, code.Secret, request));
        var head = _network.Core.Journal.Head;

        await _network.EnrolAsync(code, enrollee);

        Assert.Multiple(() =>
        {
            Assert.That(Network.CredentialOf(enrollee).Certificate.RawData, Is.EqualTo(lost.Certificates[0].Der.ToArray()));
            Assert.That(_network.Core.Journal.Head, Is.EqualTo(head), "it was said again, not done again");
        });
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(2)]
    public async Task And_may_be_asked_for_again_wherever_the_first_time_was_cut_short(int installed)
    {
        var code = await _network.OpenAsync("wuhan", "4201");
        var enrollee = _network.Enrollee("wuhan", "4201");
        enrollee.Files.Begin(EnrolmentCode.HashOf(code.Secret.Span).ToString());
        var lost = await _network.DoAsync(_network.Desk.Enrol(
            enrollee.Node, enrollee.Division, code.Secret, [Ask(CertificateKind.Link, enrollee), Ask(CertificateKind.Signer, enrollee)]));
        foreach (var (pair, certificate) in enrollee.Files.Pairs.Zip(lost.Certificates).Take(installed))
        {
            CredentialFiles.Install(pair, Network.PemOf(certificate.Der) + string.Concat(_network.Province.Between.Select(Network.PemOf)));
        }

        await _network.EnrolAsync(code, enrollee);
        await _network.EnrolAsync(code, enrollee);

        Assert.That(enrollee.Files.Pairs.Select(SerialIn), Is.EqualTo(lost.Certificates.Select(c => c.Serial)).IgnoreCase);
    }

    [Test]
    public async Task A_used_code_with_other_keys_is_refused()
    {
        var code = await _network.OpenAsync("wuhan", "4201");
        await _network.EnrolAsync(code, _network.Enrollee("wuhan", "4201"));

        await RefusedAsync(code, _network.Enrollee("wuhan", "4201", "thief"), "CODE_USED");
    }

    [Test]
    public async Task A_code_that_ran_out_is_refused_and_a_second_before_it_is_not()
    {
        var code = await _network.OpenAsync("wuhan", "4201");
        var late = await _network.OpenAsync("xiantao", "429004");
        var expires = _network.Desk.Fold.Find(Network.Wuhan)!.Opening!.ExpiresAt!.Value;
        var request = Ask(CertificateKind.Link, _network.Enrollee("wuhan", "4201"));

        // Decided by hand, so that the second is exact.
        var before = _network.Desk.Enrol(Network.Wuhan, DivisionCode.Parse("4201"), code.Secret, [request]).Decide(expires - NodaTime.Duration.FromSeconds(1));
        Assert.That(before.Records, Has.Count.EqualTo(1));
        _network.Clock.Move(TimeSpan.FromDays(3));
        await RefusedAsync(late, _network.Enrollee("xiantao", "429004"), "CODE_EXPIRED");
    }

    [Test]
    public async Task A_wrong_code_is_counted_and_the_fifth_closes_the_place()
    {
        var code = await _network.OpenAsync("wuhan", "4201");
        var wrong = code with { Secret = EnrolmentCode.NewSecret(_network.Entropy) };
        for (var i = 0; i < Opening.WrongTriesMax; i++)
        {
            await RefusedAsync(wrong, _network.Enrollee("wuhan", "4201"), "CODE_REFUSED");
        }

        Assert.That(_network.Desk.Fold.Find(Network.Wuhan)!.StateAt(_network.Core.Now), Is.EqualTo(PlaceState.Closed));
        await RefusedAsync(code, _network.Enrollee("wuhan", "4201"), "CODE_CLOSED");
        var head = _network.Core.Journal.Head;
        await RefusedAsync(wrong, _network.Enrollee("wuhan", "4201"), "CODE_CLOSED");
        Assert.That(_network.Core.Journal.Head, Is.EqualTo(head), "who goes on trying fills no journal");

        await _network.EnrolAsync(await _network.OpenAsync("wuhan", "4201"), _network.Enrollee("wuhan", "4201"));
    }

    [TestCase(true)]
    [TestCase(false)]
    public void A_parent_that_gives_something_else_than_certificates_is_refused_and_no_file_is_touched(bool between)
    {
        var enrollee = _network.Enrollee("wuhan", "4201");
        var rubbish = ByteString.CopyFrom(1, 2, 3);
        var given = new EnrolmentClient.Given([.. enrollee.Files.Pairs.Select(pair => new GivenCertificate { Kind = pair.Kind, Certificate = rubbish })], between ? [rubbish] : []);

        Assert.That(
            () => new EnrolmentClient(_network.Clock).Install(enrollee, given, _network.Trust, _ => ECDsa.Create(ECCurve.NamedCurves.nistP256), newRoot: [1]),
            Throws.TypeOf<EnrolmentRefusedException>().With.Message.StartsWith("PARENT_MALFORMED"));
        Assert.That(Directory.Exists(_network.Folder("wuhan")), Is.False);
    }

    [Test]
    public async Task A_code_of_another_node_is_no_code()
    {
        var code = await _network.OpenAsync("wuhan", "4201");
        await _network.OpenAsync("xiantao", "429004");

        await RefusedAsync(code, _network.Enrollee("xiantao", "429004"), "CODE_REFUSED");
        await RefusedAsync(code, _network.Enrollee("qianjiang", "429004"), "CODE_REFUSED");
    }

    [Test]
    public async Task A_child_that_answers_for_another_division_is_refused_and_the_code_stays()
    {
        var code = await _network.OpenAsync("wuhan", "4201");

        await RefusedAsync(code, _network.Enrollee("wuhan", "429004"), "PLACE_OUTSIDE");
        await _network.EnrolAsync(code, _network.Enrollee("wuhan", "4201"));
    }

    [Test]
    public async Task A_parent_that_is_not_the_codes_is_not_told_the_secret()
    {
        var code = await _network.OpenAsync("wuhan", "4201");

        await RefusedAsync(code with { Root = Hash256.Of("another root"u8) }, _network.Enrollee("wuhan", "4201"), "PARENT_UNPROVEN");
        await RefusedAsync(code with { Parent = NodeId.Parse("hunan") }, _network.Enrollee("wuhan", "4201"), "PARENT_IS_ANOTHER");
        Assert.That(_network.Desk.Fold.Find(Network.Wuhan)!.Opening!.WrongTries, Is.Zero);
    }

    [Test]
    public async Task The_port_of_enrolment_takes_no_reports_and_the_links_port_enrols_nobody()
    {
        var credential = await _network.TakeInAsync("wuhan", "4201");
        using var channel = Grpc.Net.Client.GrpcChannel.ForAddress(_network.Link, new Grpc.Net.Client.GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler { SslOptions = LinkTls.Client(null, (_, _) => true) },
            DisposeHttpClient = true,
        });
        var client = new Protocol.V1.EnrolmentService.EnrolmentServiceClient(channel);
        await Assert.ThrowsAsync<Grpc.Core.RpcException>(async () => await client.GetAuthorityAsync(new(), deadline: DateTime.MaxValue), "no certificate, no word");

        using var other = Grpc.Net.Client.GrpcChannel.ForAddress(_network.Enrolment, new Grpc.Net.Client.GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler { SslOptions = LinkTls.Client(credential, (_, _) => true) },
            DisposeHttpClient = true,
        });
        using var call = new Protocol.V1.LinkService.LinkServiceClient(other).Connect();
        var refused = await Assert.ThrowsAsync<Grpc.Core.RpcException>(() => call.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Network.Patience));
        Assert.That(refused!.Status.Detail, Does.StartWith("CERTIFICATE_MISSING"), "nobody is asked for a certificate there, so nobody has one");
    }

    [Test]
    public async Task The_answer_of_an_interrupted_enrolment_is_finished_by_the_next_start()
    {
        var enrollee = _network.Enrollee("wuhan", "4201");
        await _network.EnrolAsync(await _network.OpenAsync("wuhan", "4201"), enrollee);
        var pair = enrollee.Files.Pairs[0];
        var before = File.ReadAllText(pair.Key);

        // The power fails between the certificate's rename and that of its key.
        using var next = CredentialFiles.NextKey(pair);
        var answer = await _network.DoAsync(_network.Desk.Renew(PeerOf(enrollee), [new KeyRequest { Kind = pair.Kind, Request = Google.Protobuf.ByteString.CopyFrom(CertificateAuthority.AskFor(enrollee.Node, next)) }]));
        CredentialFiles.Write(pair.Certificate, Network.PemOf(answer.Certificates[0].Der));
        Assert.Throws<System.Security.Cryptography.CryptographicException>(() => Network.CredentialOf(enrollee));

        CredentialFiles.Settle(pair);

        Assert.That(Network.CredentialOf(enrollee).Certificate.SerialNumber, Is.EqualTo(answer.Certificates[0].Serial).IgnoreCase);
        Assert.That(File.ReadAllText(pair.Key), Is.Not.EqualTo(before));
        Assert.That(File.Exists(pair.Key + ".next"), Is.False);
    }

    private static string SerialIn(KeyPairFiles pair)
    {
        using var certificate = System.Security.Cryptography.X509Certificates.X509Certificate2.CreateFromPemFile(pair.Certificate, pair.Key);
        return certificate.SerialNumber;
    }

    private IPeerIdentity PeerOf(Enrollee enrollee)
    {
        var credential = Network.CredentialOf(enrollee);
        return PeerCertificate.Read(credential.Certificate, credential.Between, _network.Trust, PeerUse.Client, _network.Clock.GetUtcNow(), out _)!;
    }

    private static KeyRequest Ask(CertificateKind kind, Enrollee enrollee)
    {
        using var key = CredentialFiles.NextKey(enrollee.Files.Pairs.Single(p => p.Kind == kind));
        return new KeyRequest { Kind = kind, Request = Google.Protobuf.ByteString.CopyFrom(CertificateAuthority.AskFor(enrollee.Node, key)) };
    }

    private async Task RefusedAsync(EnrolmentCode code, Enrollee enrollee, string refusal)
    {
        try
        {
            await _network.EnrolAsync(code, enrollee);
            Assert.Fail($"{enrollee.Node} was enrolled.");
        }
        catch (Grpc.Core.RpcException refused)
        {
            Assert.That(refused.Status.Detail, Does.StartWith(refusal + ": "));
        }
        catch (EnrolmentRefusedException refused)
        {
            Assert.That(refused.Refusal.Code, Is.EqualTo(refusal));
        }

        Assert.That(File.Exists(enrollee.Files.Pairs[0].Certificate), Is.False, "nothing is half there");
    }
}
