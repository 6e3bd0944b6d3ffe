using CityGrid.Hub.Children;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Node.Enrolment;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Reception;
using NUnit.Framework;

namespace CityGrid.Tests.Children;

/// <summary>Clauses E5 to E7, SEC-02, SEC-09: revocation on connections that stand, and renewal under load, over real mutual TLS.</summary>
public sealed class A_child_is_let_go_and_kept
{
    private Network _network = null!;

    [SetUp]
    public async Task Start() => _network = await Network.StartAsync();

    [TearDown]
    public async Task Stop() => await _network.DisposeAsync();

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_revoked_or_retired_child_loses_the_connection_that_stands_and_gets_no_other(bool retired)
    {
        var credential = await _network.TakeInAsync("wuhan", "4201");
        var heard = _network.Dial(credential);
        Assert.That(await heard.IsWelcomeAsync(new Child("wuhan", "4201")), Is.True);

        await _network.DoAsync(retired ? _network.Desk.Retire(Network.Wuhan, "merged", "keeper") : _network.Desk.Revoke(Network.Wuhan, null, "key lost", "keeper"));

        Assert.That(await heard.EndAsync(), Does.Contain("is not taken any more"));
        var again = _network.Dial(credential);
        await again.EndAsync();
        Assert.That(again.WasConnected, Is.False);
        Assert.That(_network.Refused, Does.Contain(retired ? "CHILD_RETIRED" : "CERTIFICATE_REVOKED"));
        Assert.That((await _network.Core.Redriving.GiveNameAsync(Network.Wuhan, DivisionCode.Parse("429004"), "keeper")).Outcome, Is.EqualTo(retired ? NameOutcome.Given : NameOutcome.Borne), "its name is another's to have once its place is at an end");
    }

    [Test]
    public async Task A_frame_under_a_revoked_certificate_is_refused_even_where_the_connection_was_not_dropped()
    {
        var credential = await _network.TakeInAsync("wuhan", "4201");
        var peer = PeerCertificate.Read(credential.Certificate, credential.Between, _network.Trust, PeerUse.Client, _network.Clock.GetUtcNow(), out _)!;
        var connection = new LinkConnection(peer, _ => { });
        var child = new Child("wuhan", "4201");
        Assert.That((await _network.Core.Door.TakeAsync(connection, child.Hello()))!.Welcome, Is.Not.Null);
        await _network.DoAsync(_network.Desk.Revoke(Network.Wuhan, null, "key lost", "keeper"));
        var head = _network.Core.Journal.Head;

        var refused = await _network.Core.Door.TakeAsync(connection, child.Cut(0, 5, [child.Cell(3, 1)]));

        Assert.That(refused!.Refusal.Code, Is.EqualTo(LinkRefusalCode.PermissionDenied));
        Assert.That(refused.Refusal.Message, Does.Contain("CERTIFICATE_REVOKED"));
        Assert.That(_network.Core.Journal.Head, Is.EqualTo(head));
        Assert.That(connection.IsOver, Is.True);
    }

    [Test]
    public async Task A_certificate_that_names_more_than_the_place_counts_for_what_both_allow()
    {
        await _network.TakeInAsync("hanyang", "420111");
        var greedy = new CertifiedPeer(NodeId.Parse("hanyang"), [DivisionCode.Parse("4201")], new PeerMark("5a", _network.Province.Mark, _network.Clock.GetUtcNow().AddDays(1)));
        var refused = await _network.Core.Door.TakeAsync(new LinkConnection(greedy, _ => { }), new Child("hanyang", "4201").Hello());
        Assert.That(refused!.Refusal?.Code, Is.EqualTo(LinkRefusalCode.PermissionDenied), "its certificate covers Wuhan, its place does not");

        var (connection, child) = (new LinkConnection(greedy, _ => { }), new Child("hanyang", "420111"));
        var welcome = (await _network.Core.Door.TakeAsync(connection, child.Hello()))!.Welcome;
        child.Epoch = new Epoch(welcome.ChildEpoch, welcome.ChildEpochNonce);
        var receipt = (await _network.Core.Door.TakeAsync(connection, child.Cut(0, 5, [child.Cell(3, 1), child.Cell(4, 1, "4201", "relayed")])))!.Receipt;
        Assert.That((receipt.Accepted, receipt.Records.Select(r => (r.Index, r.Code)).Single()), Is.EqualTo((1, (1, "PERMISSION_DENIED"))));
    }

    [Test]
    public async Task A_parent_under_another_provinces_authority_is_not_told_anything()
    {
        var credential = await _network.TakeInAsync("wuhan", "4201");
        using var hunan = _network.Below(_network.Ministry, "hunan", "43");
        _network.Credential = _network.Issue(hunan, "hubei", "42");

        var heard = _network.Dial(credential);

        Assert.That(await heard.EndAsync(), Does.StartWith("CERTIFICATE_OUTSIDE"));
        Assert.That(heard.WasConnected, Is.False);
    }

    [Test]
    public async Task A_renewal_under_load_costs_no_call_and_the_next_connection_shows_the_new_certificate()
    {
        var enrollee = _network.Enrollee("wuhan", "4201");
        await _network.EnrolAsync(await _network.OpenAsync("wuhan", "4201"), enrollee);
        var credential = Network.CredentialOf(enrollee);
        var (before, child, number) = (credential, new Child("wuhan", "4201") { Head = 1000 }, 0L);
        var wire = _network.Wire(() => credential);
        var heard = new Heard();
        wire.Dial(heard);
        Assert.That(await heard.IsWelcomeAsync(child), Is.True);
        var line = await heard.LineAsync();

        // Reports go up one after the other; in the middle of them child and parent both get new certificates.
        var (answered, dialled) = (0, 1);
        for (var i = 0; i < 200; i++)
        {
            if (i == 100)
            {
                await new EnrolmentClient(_network.Clock).RenewAsync(_network.Link, credential, (_, _) => true, enrollee, _network.Trust, CancellationToken.None);
                credential = Network.CredentialOf(enrollee);
                _network.Credential = _network.Issue(_network.Ministry, "hubei", "42");
            }

            line.Send(child.Cut(number, number + 1, [child.Cell(number + 1, i)]));
            Assert.That((await heard.NextAsync()).Receipt?.Accepted, Is.EqualTo(1), $"report {i}");
            (number, answered) = (number + 1, answered + 1);
            if (i == 100)
            {
                // Every frame is answered, so the wire hangs up by itself; what waits is sent on the next connection.
                Assert.That(await heard.EndAsync(), Does.Contain("Hung up"));
                heard = new Heard();
                wire.Dial(heard);
                dialled++;
                Assert.That(await heard.IsWelcomeAsync(child), Is.True);
                line = await heard.LineAsync();
            }
        }

        Assert.Multiple(() =>
        {
            Assert.That((answered, dialled), Is.EqualTo((200, 2)));
            Assert.That(credential.Certificate.SerialNumber, Is.Not.EqualTo(before.Certificate.SerialNumber));
            Assert.That(_network.Refused, Is.Empty);
        });

        // Beside the new one the old is taken for the overlap, and not a moment longer (SEC-02).
        Assert.That(await IsLetInAsync(before), Is.True);
        _network.Clock.Move(TimeSpan.FromDays(7));
        Assert.That(await IsLetInAsync(before), Is.False);
        Assert.That(_network.Refused, Does.Contain("CERTIFICATE_REPLACED"));
        Assert.That(await IsLetInAsync(credential), Is.True);
    }

    /// <summary>T2: a city whose only way out is a proxy is taken in and renewed by it.</summary>
    [Test]
    public async Task By_a_forward_proxy_too()
    {
        using var proxy = new Link.ForwardProxy();
        var enrollee = _network.Enrollee("wuhan", "4201");
        var client = new EnrolmentClient(_network.Clock, proxy.Address);
        await client.EnrolAsync(_network.Enrolment, await _network.OpenAsync("wuhan", "4201"), enrollee, CancellationToken.None);
        var credential = Network.CredentialOf(enrollee);

        await client.RenewAsync(_network.Link, credential, (_, _) => true, enrollee, _network.Trust, CancellationToken.None);

        Assert.That(Network.CredentialOf(enrollee).Certificate.SerialNumber, Is.Not.EqualTo(credential.Certificate.SerialNumber));
        Assert.That(proxy.Asked.Distinct(), Is.EqualTo(new[] { $"CONNECT 127.0.0.1:{_network.Enrolment.Port} HTTP/1.1", $"CONNECT 127.0.0.1:{_network.Link.Port} HTTP/1.1" }));
    }

    [Test]
    public async Task A_renewal_whose_answer_was_lost_is_answered_the_same_again()
    {
        var enrollee = _network.Enrollee("wuhan", "4201");
        await _network.EnrolAsync(await _network.OpenAsync("wuhan", "4201"), enrollee);
        var credential = Network.CredentialOf(enrollee);
        var lost = await LoseARenewalAsync(enrollee, credential);
        var head = _network.Core.Journal.Head;

        await new EnrolmentClient(_network.Clock).RenewAsync(_network.Link, credential, (_, _) => true, enrollee, _network.Trust, CancellationToken.None);

        Assert.That(Network.CredentialOf(enrollee).Certificate.SerialNumber, Is.EqualTo(lost.Certificates[0].Serial).IgnoreCase);
        Assert.That(_network.Core.Journal.Head, Is.EqualTo(head));
    }

    [Test]
    public async Task The_old_certificate_is_taken_until_the_new_one_is_shown_however_long_its_answer_was_lost_and_seven_days_more()
    {
        var enrollee = _network.Enrollee("wuhan", "4201");
        await _network.EnrolAsync(await _network.OpenAsync("wuhan", "4201"), enrollee);
        var (old, child) = (Network.CredentialOf(enrollee), new Child("wuhan", "4201"));
        var lost = await LoseARenewalAsync(enrollee, old);

        // The answer was lost, and then the line for longer than the overlap.
        _network.Clock.Move(TimeSpan.FromDays(30));
        Assert.That(await _network.Dial(old).IsWelcomeAsync(child), Is.True, "the only one that the child has");
        await new EnrolmentClient(_network.Clock).RenewAsync(_network.Link, old, (_, _) => true, enrollee, _network.Trust, CancellationToken.None);
        var renewed = Network.CredentialOf(enrollee);
        Assert.That(renewed.Certificate.SerialNumber, Is.EqualTo(lost.Certificates[0].Serial).IgnoreCase);

        Assert.That(await _network.Dial(renewed).IsWelcomeAsync(child), Is.True);
        var head = _network.Core.Journal.Head;
        _network.Clock.Move(TimeSpan.FromDays(6.9));
        Assert.That(await _network.Dial(renewed).IsWelcomeAsync(child), Is.True);
        Assert.That(_network.Core.Journal.Head, Is.EqualTo(head), "it is noted the first time alone");
        Assert.That(await IsLetInAsync(old), Is.True);
        _network.Clock.Move(TimeSpan.FromDays(0.1));
        Assert.That(await IsLetInAsync(old), Is.False);
        Assert.That(_network.Refused, Does.Contain("CERTIFICATE_REPLACED"));
        Assert.That(await IsLetInAsync(renewed), Is.True);
    }

    [Test]
    public async Task A_revocation_makes_the_old_one_and_the_one_that_was_never_shown_void_at_once()
    {
        var enrollee = _network.Enrollee("wuhan", "4201");
        await _network.EnrolAsync(await _network.OpenAsync("wuhan", "4201"), enrollee);
        var old = Network.CredentialOf(enrollee);
        await new EnrolmentClient(_network.Clock).RenewAsync(_network.Link, old, (_, _) => true, enrollee, _network.Trust, CancellationToken.None);
        await _network.DoAsync(_network.Desk.Revoke(Network.Wuhan, null, "key lost", "keeper"));
        Assert.That(await IsLetInAsync(old), Is.False);
        Assert.That(await IsLetInAsync(Network.CredentialOf(enrollee)), Is.False);
        Assert.That(_network.Refused, Is.All.EqualTo("CERTIFICATE_REVOKED"));
    }

    [Test]
    public async Task A_child_that_asks_in_a_loop_fills_no_journal()
    {
        var enrollee = _network.Enrollee("wuhan", "4201");
        await _network.EnrolAsync(await _network.OpenAsync("wuhan", "4201"), enrollee);
        var credential = Network.CredentialOf(enrollee);
        for (var i = 1; i < ChildrenDesk.CertificatesMax; i++)
        {
            await RenewAsync();
        }

        var refused = await Assert.ThrowsAsync<Grpc.Core.RpcException>(RenewAsync);
        Assert.That(refused!.Status.Detail, Does.StartWith("RENEWED_TOO_OFTEN"));

        Task RenewAsync() => new EnrolmentClient(_network.Clock).RenewAsync(_network.Link, credential, (_, _) => true, enrollee, _network.Trust, CancellationToken.None);
    }

    /// <summary>The parent has answered, and the child has not heard it.</summary>
    private async Task<IssueAnswer> LoseARenewalAsync(Enrollee enrollee, LinkCredential credential)
    {
        var peer = PeerCertificate.Read(credential.Certificate, credential.Between, _network.Trust, PeerUse.Client, _network.Clock.GetUtcNow(), out _)!;
        var requests = enrollee.Files.Pairs.Select(pair =>
        {
            using var key = CredentialFiles.NextKey(pair);
            return new KeyRequest { Kind = pair.Kind, Request = Google.Protobuf.ByteString.CopyFrom(CertificateAuthority.AskFor(enrollee.Node, key)) };
        }).ToArray();
        return await _network.DoAsync(_network.Desk.Renew(peer, requests));
    }

    private async Task<bool> IsLetInAsync(LinkCredential credential)
    {
        var heard = _network.Dial(credential);
        var ended = heard.EndAsync();
        if (await Task.WhenAny(heard.LineAsync(), ended) == ended)
        {
            return false;
        }

        try
        {
            (await heard.LineAsync()).HangUp();
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }
}
