using System.CommandLine;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception.V1;
using CityGrid.Node.Hosting;
using CityGrid.Protocol.Names;

namespace CityGrid.Cli;

/// <summary>What a parent has heard of a child after its backup was taken: what the child has lost, and whoever restores it must know.</summary>
/// <param name="parent">The address of the parent's JSON calls.</param>
/// <param name="tokenFile">The token of an administrator there; null for the usual one.</param>
internal sealed class BeyondReport(Uri parent, FileInfo? tokenFile)
{
    /// <summary>The option that names the parent.</summary>
    public static Option<string?> ParentOption()
    {
        var option = new Option<string?>("--parent") { Description = Texts.Get("OptionRestoreParent") };
        option.Validators.Add(result =>
        {
            if (result.Tokens is not [{ Value: var url }] || !NodeCall.IsAddress(url))
            {
                result.AddError(Texts.Get("ParentBad", string.Join(' ', result.Tokens)));
            }
        });
        return option;
    }

    /// <summary>Asks the parent what it has of this life of the child past a position, and puts its answer into words. Throws <see cref="HttpRequestException"/> where there is none.</summary>
    public async Task<string> AskAsync(NodeId child, Incarnation life, Lsn head, CancellationToken stop)
    {
        return await FindAsync(child, life, head, stop) is { } beyond ? InWords(beyond, life, head) : Texts.Get("BeyondUnknown", parent, child);
    }

    /// <summary>The same for a directory itself: where it holds another history than the parent has heard, from the last position on of which both are sure.</summary>
    public async Task<string> AskAsync(NodeId child, IJournal journal, CancellationToken stop)
    {
        var (life, head) = (journal.Incarnation, journal.Head.Lsn);
        if (await FindAsync(child, life, head, stop) is not { SameLife: true } beyond || beyond.Heard > head.Value || journal.ChainHashAt(new Lsn(beyond.Heard))?.ToString() == beyond.HeardChain)
        {
            return await AskAsync(child, life, head, stop);
        }

        var sure = LastHeardOf(journal);
        return Texts.Get("BeyondFork", beyond.Heard, sure) + Environment.NewLine + await AskAsync(child, life, sure, stop);
    }

    /// <summary>How far the parent had heard it when this directory last had a receipt of it: before whatever parted the two.</summary>
    private static Lsn LastHeardOf(IJournal journal)
    {
        for (var at = journal.Head.Lsn; at > Lsn.Zero;)
        {
            var record = journal.ReadAt(at)!;
            foreach (var receipt in record.Events.Where(one => one.Kind == EventKinds.ReceiptKept).Select(one => ReceiptKept.Parser.ParseFrom(one.Payload.Span)))
            {
                if (Incarnation.FromBytes(receipt.Incarnation.Span) == journal.Incarnation)
                {
                    return new Lsn(receipt.Lsn);
                }
            }

            at = new Lsn(record.Events[0].Lsn.Value - 1);
        }

        return Lsn.Zero;
    }

    private async Task<ChildBeyond?> FindAsync(NodeId child, Incarnation life, Lsn past, CancellationToken stop)
    {
        using var response = await SendAsync(HttpMethod.Get, $"/ops/children/{child}/beyond?incarnation={life}&lsn={past}", stop);
        return response is null ? null : await response.Content.ReadFromJsonAsync<ChildBeyond>(stop) ?? throw new HttpRequestException(Texts.Get("BeyondRefused", parent, 200, string.Empty));
    }

    /// <summary>Has the parent release the child; false where it had not set it aside, or never heard of it.</summary>
    public async Task<bool> ReleaseAsync(NodeId child, CancellationToken stop)
    {
        using var response = await SendAsync(HttpMethod.Post, $"/ops/children/{child}/release", stop);
        return response is not null && (await response.Content.ReadFromJsonAsync<ReleaseReport>(stop))?.Released == true;
    }

    /// <summary>Null where the parent does not know the child.</summary>
    private async Task<HttpResponseMessage?> SendAsync(HttpMethod method, string path, CancellationToken stop)
    {
        using var http = new HttpClient { BaseAddress = parent, Timeout = TimeSpan.FromSeconds(30) };
        using var request = new HttpRequestMessage(method, path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", NodeCall.TokenFor(parent.ToString(), tokenFile, NodeCall.Keeper));
        var response = await http.SendAsync(request, stop);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            response.Dispose();
            return null;
        }

        return response.IsSuccessStatusCode ? response : throw new HttpRequestException(Texts.Get("BeyondRefused", parent, (int)response.StatusCode, await response.Content.ReadAsStringAsync(stop)));
    }

    private static string InWords(ChildBeyond beyond, Incarnation life, Lsn head)
    {
        if (!beyond.SameLife)
        {
            return Texts.Get("BeyondOtherLife", beyond.NodeId, beyond.Incarnation, life);
        }

        if (beyond.Heard <= head.Value)
        {
            return Texts.Get("BeyondNothing", beyond.Heard, head);
        }

        var words = new StringBuilder(Texts.Get("BeyondSome", beyond.Heard, head, beyond.CellsLater, beyond.EscalationsLater));
        foreach (var escalation in beyond.Escalations)
        {
            words.AppendLine().Append("  ").Append(Texts.Get("BeyondEscalation", escalation.Lsn, escalation.Id, escalation.Version, escalation.Grade, escalation.Type, escalation.Division, escalation.Subject, escalation.Stage));
        }

        return words.ToString();
    }
}
