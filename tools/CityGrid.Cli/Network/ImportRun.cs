using CityGrid.Node.Intake.Import;
using CityGrid.Node.V1;
using Google.Protobuf;

namespace CityGrid.Cli.Network;

/// <summary>What an import did.</summary>
public sealed record ImportResult(long Rows, long Created, long Unchanged, long Corrected, long Faults, long Dirt, long LastLsn);

/// <summary>Sends the rows of a file to a node, some requests under way at a time; a bad row goes to the error file and keeps no other back.</summary>
public sealed class ImportRun(NodeClient client, ImportMapping mapping, string system)
{
    public const int RowsPerRequest = 1000;

    /// <summary>Requests under way: two keep the node's writer busy while the next one is read.</summary>
    public const int UnderWay = 3;

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
            request.Rows.AddRange(batch.Select(RowOf));
            running.Enqueue((client.Cases.ImportRowsAsync(request, client.Options.WithCancellationToken(stop)).ResponseAsync, batch));
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

    /// <summary>A row as it is sent.</summary>
    internal static Node.V1.ImportRow RowOf(Node.Intake.Import.ImportRow row)
    {
        var message = new Node.V1.ImportRow
        {
            ExternalId = row.ExternalId,
            Type = row.Type.ToString(),
            LocalTypeName = row.IsLocalType ? row.TypeName ?? string.Empty : string.Empty,
            Division = row.Division.ToString(),
            Source = row.Source.ToString(),
            ReportedAt = row.ReportedAt.ToUnixTimeMilliseconds(),
            ClosedAt = row.ClosedAt?.ToUnixTimeMilliseconds() ?? 0,
            VoidedAt = row.VoidedAt?.ToUnixTimeMilliseconds() ?? 0,
            DueAt = row.DueAt?.ToUnixTimeMilliseconds() ?? 0,
            UpdatedAt = row.UpdatedAt?.ToUnixTimeMilliseconds() ?? 0,
            ContentHash = UnsafeByteOperations.UnsafeWrap(row.ContentHash.ToBytes()),
        };
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
