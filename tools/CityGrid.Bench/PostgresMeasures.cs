using Npgsql;

namespace CityGrid.Bench;

/// <summary>What PostgreSQL does of the same work: one durable insert a filing, GROUP BY over raw cases, GROUP BY over a rolled-up table.</summary>
internal sealed class PostgresMeasures(PostgresPeer peer)
{
    private const string Insert =
        "INSERT INTO cases VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17)";

    private long _next;

    /// <summary>The table of a case: 17 columns, primary key and three indexes (division, filing time, type), about 600 B a row.</summary>
    public void CreateCases() => peer.Execute("""
        CREATE TABLE cases (
            id bigint PRIMARY KEY, division text NOT NULL, type text NOT NULL, filed_at timestamptz NOT NULL, source text NOT NULL,
            stage text NOT NULL, deadline timestamptz, unit text, grade int, lat int, lon int, reporter text, contact text, address text,
            description text, closed_at timestamptz, version int NOT NULL);
        CREATE INDEX cases_division ON cases (division);
        CREATE INDEX cases_filed ON cases (filed_at);
        CREATE INDEX cases_type ON cases (type);
        """);

    /// <summary>Single durable inserts a second over 64 connections.</summary>
    public async Task<double> FilingsPerSecondAsync(int callers, int each)
    {
        var seconds = await Figures.SecondsAsync(() => Task.WhenAll(Enumerable.Range(0, callers).Select(caller => InsertEachAsync(caller, each))));
        return callers * each / seconds;
    }

    /// <summary>A million raw cases by COPY, as many types and divisions as a nation view has.</summary>
    public void LoadRawCases(int rows)
    {
        using var connection = peer.Open();
        using (var copy = connection.BeginBinaryImport("COPY cases FROM STDIN (FORMAT BINARY)"))
        {
            var start = new DateTime(2026, 8, 1, 0, 0, 0, DateTimeKind.Utc);
            for (var i = 0; i < rows; i++)
            {
                copy.StartRow();
                copy.Write(10_000_000_000L + i);
                copy.Write($"{110000 + (i % 340)}");
                copy.Write($"{6001 + (i * 7 % 150)}");
                copy.Write(start.AddMinutes(i % 129_600));
                copy.Write("hotline");
                copy.Write("closed");
                copy.Write(start.AddMinutes((i % 129_600) + 2880));
                copy.Write("市政管理处");
                copy.Write(4);
                copy.Write(399_000_000 + i);
                copy.Write(1_163_000_000 + i);
                copy.Write("张某");
                copy.Write("13800000000");
                copy.Write("人民路与建设街交叉口东北角人行道上");
                copy.Write("井盖破损，存在安全隐患，过往行人较多，请尽快派人处理，已放置警示标志。");
                copy.Write(start.AddMinutes((i % 129_600) + 1440));
                copy.Write(5);
            }

            copy.Complete();
        }

        peer.Execute("VACUUM ANALYZE cases");
    }

    /// <summary>Seconds of the nation by type over 90 days, from raw cases.</summary>
    public double RawByTypeSeconds() => QuerySeconds(
        "SELECT type, count(*), count(closed_at) FROM cases WHERE filed_at >= '2026-08-01' AND filed_at < '2026-10-30' GROUP BY type");

    /// <summary>A rolled-up table: one row a city, day and type.</summary>
    public void LoadCells(int cities, int days, int types)
    {
        peer.Execute("CREATE TABLE cells (city int, day int, type int, reported bigint, filed bigint, closed bigint, in_time bigint, PRIMARY KEY (city, day, type))");
        using var connection = peer.Open();
        using (var copy = connection.BeginBinaryImport("COPY cells FROM STDIN (FORMAT BINARY)"))
        {
            for (var city = 0; city < cities; city++)
            {
                for (var day = 0; day < days; day++)
                {
                    for (var type = 0; type < types; type++)
                    {
                        copy.StartRow();
                        copy.Write(city);
                        copy.Write(day);
                        copy.Write(type);
                        copy.Write(7L);
                        copy.Write(6L);
                        copy.Write(5L);
                        copy.Write(4L);
                    }
                }
            }

            copy.Complete();
        }

        peer.Execute("VACUUM ANALYZE cells");
    }

    /// <summary>Seconds of the nation by type over all days, from the rolled-up table.</summary>
    public double CellsByTypeSeconds() => QuerySeconds("SELECT type, sum(reported), sum(filed), sum(closed), sum(in_time) FROM cells GROUP BY type");

    private double QuerySeconds(string sql)
    {
        using var connection = peer.Open();
        return Figures.Seconds(() =>
        {
            using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 600 };
            using var reader = command.ExecuteReader();
            while (reader.Read())
            {
                _ = reader.GetValue(1);
            }
        });
    }

    private async Task InsertEachAsync(int caller, int each)
    {
        await using var connection = new NpgsqlConnection(peer.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(Insert, connection);
        for (var i = 0; i < 17; i++)
        {
            command.Parameters.Add(new NpgsqlParameter());
        }

        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        for (var i = 0; i < each; i++)
        {
            object[] row =
            [
                Interlocked.Increment(ref _next), $"{110000 + (caller % 60)}", $"{6001 + (i % 150)}", now, "hotline", "reported", now.AddDays(5), "市政管理处", 4,
                399_000_000, 1_163_000_000, "张某", "13800000000", "人民路与建设街交叉口东北角人行道上",
                "井盖破损，存在安全隐患，过往行人较多，请尽快派人处理，已放置警示标志。", DBNull.Value, 1,
            ];
            for (var k = 0; k < row.Length; k++)
            {
                command.Parameters[k].Value = row[k];
            }

            if (i == 0)
            {
                await command.PrepareAsync();
            }

            await command.ExecuteNonQueryAsync();
        }
    }
}
