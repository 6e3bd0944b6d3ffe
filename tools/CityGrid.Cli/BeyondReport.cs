using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using CityGrid.Hub.Backup;
using CityGrid.Node.Hosting;

namespace CityGrid.Cli;

/// <summary>What a parent has heard of a child after its backup was taken: what the child has lost, and whoever restores it must know.</summary>
internal static class BeyondReport
{
    /// <summary>Asks the parent, and puts its answer into words. Throws <see cref="HttpRequestException"/> where there is none.</summary>
    public static async Task<string> AskAsync(Uri parent, FileInfo? tokenFile, BackupContent backup, CancellationToken stop)
    {
        using var http = new HttpClient { BaseAddress = parent, Timeout = TimeSpan.FromSeconds(30) };
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/ops/children/{backup.Node}/beyond?incarnation={backup.Incarnation}&lsn={backup.Head.Lsn}");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Commands.TokenOf(tokenFile));
        using var response = await http.SendAsync(request, stop);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            return Texts.Get("BeyondUnknown", parent, backup.Node);
        }

        if (!response.IsSuccessStatusCode)
        {
            throw new HttpRequestException(Texts.Get("BeyondRefused", parent, (int)response.StatusCode, await response.Content.ReadAsStringAsync(stop)));
        }

        return InWords(await response.Content.ReadFromJsonAsync<ChildBeyond>(stop) ?? throw new HttpRequestException(Texts.Get("BeyondRefused", parent, 200, string.Empty)), backup);
    }

    private static string InWords(ChildBeyond beyond, BackupContent backup)
    {
        if (!beyond.SameLife)
        {
            return Texts.Get("BeyondOtherLife", beyond.NodeId, beyond.Incarnation, backup.Incarnation);
        }

        if (beyond.Heard <= backup.Head.Lsn.Value)
        {
            return Texts.Get("BeyondNothing", beyond.Heard, backup.Head.Lsn);
        }

        var words = new StringBuilder(Texts.Get("BeyondSome", beyond.Heard, backup.Head.Lsn, beyond.CellsLater, beyond.EscalationsLater));
        foreach (var escalation in beyond.Escalations)
        {
            words.AppendLine().Append("  ").Append(Texts.Get("BeyondEscalation", escalation.Lsn, escalation.Id, escalation.Version, escalation.Grade, escalation.Type, escalation.Division, escalation.Subject, escalation.Stage));
        }

        return words.ToString();
    }
}
