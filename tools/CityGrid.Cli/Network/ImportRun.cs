using System.Globalization;
using CityGrid.Node.Intake.Import;
using CityGrid.Node.V1;
using Google.Protobuf;
using Grpc.Core;
using NodaTime;

namespace CityGrid.Cli.Network;

/// <summary>What an import did.</summary>
public sealed record ImportResult(long Rows, long Created, long Unchanged, long Corrected, long Faults, long Dirt, long LastLsn);

/// <summary>
/// Sends the rows of a file to a node, some requests under way at a time; a bad row goes to the error file and keeps no other back. Where the node has too much to do
/// it says for how long to stay away, and the same rows are brought again then: as often as it takes, for the node never lets go of what it has taken.
/// </summary>
public sealed class ImportRun(NodeClient client, ImportMapping mapping, string system, TimeProvider clock)
{
    public const int RowsPerRequest = 1000;

    /// <summary>Requests under way: two keep the node's writer busy while the next one is read.</summary>
    public const int UnderWay = 3;

    /// <summary>True where the cases run on here: their due times are deadlines, and escalation rules apply to them. Otherwise they are history.</summary>
    public bool Live { get; init; }

    /// <summary>Is told that the node has too much to do, and when it is asked again.</summary>
    public Action<TimeSpan>? Waits { get; init; }

    public async Task<ImportResult> RunAsync(string path, ErrorFile? errors, Action<long, double>? progress, CancellationToken stop)
    {
        await using var file = File.OpenRead(path);
        long rows = 0, created = 0, unchanged = 0, corrected = 0, faults = 0, dirt = 0, lsn = 0;
        var running = new Queue<(Task<ImportRowsResponse> Answer, List<Node.Intake.Import.ImportRow> Rows)>();
        async Task FinishOneAsync()
        {
            var (answer, sent) = running.Dequeue();
            var response = await answer;
            created += response.Created;
            unchanged += response.Unchanged;
            corrected += response.Corrected;
            faults += response.Faults.Count;
            lsn = Math.Max(lsn, response.Lsn);
            foreach (var fault in response.Faults)
            {
                var row = sent[fault.Index];
                errors?.Write(new ImportFault(row.RowNumber, row.LineNumber, string.Empty, row.ExternalId, fault.Code, fault.Message, Texts.Get("ImportRemedy")), isImported: false);
            }

            progress?.Invoke(rows, (double)file.Position / file.Length);
        }

        var batch = new List<Node.Intake.Import.ImportRow>(RowsPerRequest);
        void Send()
        {
            var request = new ImportRowsRequest { System = system };
            request.Rows.AddRange(batch.Select(row => RowOf(row, Live)));
            running.Enqueue((TakenAsync(request, stop), batch));
            batch = new List<Node.Intake.Import.ImportRow>(RowsPerRequest);
        }

        foreach (var item in ImportReader.Read(file, mapping))
        {
            stop.ThrowIfCancellationRequested();
            switch (item)
            {
                case ImportFault:
                    rows++;
                    faults++;
                    errors?.Write(item);
                    break;
                case Node.Intake.Import.ImportRow row:
                    rows++;
                    dirt += row.Dirt.Count > 0 ? 1 : 0;
                    if (row.Dirt.Count > 0)
                    {
                        errors?.Write(item);
                    }

                    batch.Add(row);
                    break;
                default:
                    break;
            }

            if (batch.Count == RowsPerRequest)
            {
                Send();
                if (running.Count >= UnderWay)
                {
                    await FinishOneAsync();
                }
            }
        }

        if (batch.Count > 0)
        {
            Send();
        }

        while (running.Count > 0)
        {
            await FinishOneAsync();
        }

        return new ImportResult(rows, created, unchanged, corrected, faults, dirt, lsn);
    }

    private async Task<ImportRowsResponse> TakenAsync(ImportRowsRequest request, CancellationToken stop)
    {
        while (true)
        {
            try
            {
                return await client.Cases.ImportRowsAsync(request, client.Options.WithCancellationToken(stop));
            }
            catch (RpcException busy) when (busy.StatusCode == StatusCode.ResourceExhausted && PauseOf(busy) is not null)
            {
                var pause = PauseOf(busy)!.Value;
                Waits?.Invoke(pause);
                await Task.Delay(pause, clock, stop);
            }
        }
    }

    /// <summary>How long the node wants to be left alone; null where it does not say.</summary>
    private static TimeSpan? PauseOf(RpcException busy) =>
        int.TryParse(busy.Trailers.GetValue("retry-after"), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) ? TimeSpan.FromSeconds(seconds) : null;

    /// <summary>A row as it is sent.</summary>
    internal static Node.V1.ImportRow RowOf(Node.Intake.Import.ImportRow row, bool live)
    {
        var message = new Node.V1.ImportRow
        {
            ExternalId = row.ExternalId,
            Type = row.Type.ToString(),
            LocalTypeName = row.IsLocalType ? row.TypeName ?? string.Empty : string.Empty,
            Division = row.Division.ToString(),
            Source = row.Source.ToString(),
            ContentHash = UnsafeByteOperations.UnsafeWrap(row.ContentHash.ToBytes()),
            Live = live,
        };
        long Milliseconds(int field, Instant? at)
        {
            if (at?.ToUnixTimeMilliseconds() == 0)
            {
                message.ZeroTimes.Add(field);
            }

            return at?.ToUnixTimeMilliseconds() ?? 0;
        }

        message.ReportedAt = Milliseconds(Node.V1.ImportRow.ReportedAtFieldNumber, row.ReportedAt);
        message.ClosedAt = Milliseconds(Node.V1.ImportRow.ClosedAtFieldNumber, row.ClosedAt);
        message.VoidedAt = Milliseconds(Node.V1.ImportRow.VoidedAtFieldNumber, row.VoidedAt);
        message.DueAt = Milliseconds(Node.V1.ImportRow.DueAtFieldNumber, row.DueAt);
        message.UpdatedAt = Milliseconds(Node.V1.ImportRow.UpdatedAtFieldNumber, row.UpdatedAt);
        if (row.Personal is { } personal)
        {
            message.Personal = new Personal
            {
                FreeText = personal.Text ?? string.Empty,
                ReporterName = personal.Reporter ?? string.Empty,
                Contact = personal.Contact ?? string.Empty,
                Address = personal.Address ?? string.Empty,
                LatitudeE7 = personal.Point?.Latitude ?? 0,
                LongitudeE7 = personal.Point?.Longitude ?? 0,
                Datum = personal.Point?.Datum ?? string.Empty,
            };
        }

        return message;
    }
}
