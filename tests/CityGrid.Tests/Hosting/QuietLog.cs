using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using NUnit.Framework;

namespace CityGrid.Tests.Hosting;

/// <summary>
/// A quiet test is a clean test: whoever disposes of this fails the test for every error that was logged and not announced, because a swallowed
/// error is still an error. An announced one that did not come fails it too.
/// </summary>
public sealed class QuietLog : ILoggerProvider
{
    private readonly ConcurrentQueue<string> _errors = new();
    private readonly ConcurrentDictionary<int, int> _announced = new();
    private readonly ConcurrentQueue<(int Event, string Text)> _lines = new();

    /// <summary>Everything logged, with its event id; the text with its exception.</summary>
    public IReadOnlyList<(int Event, string Text)> Lines => [.. _lines];

    /// <summary>This test means this error to be logged, once or more.</summary>
    public void Announce(int eventId) => _announced.TryAdd(eventId, 0);

    public ILogger CreateLogger(string categoryName) => new Writer(this, categoryName);

    public void Verify()
    {
        Assert.Multiple(() =>
        {
            Assert.That(_errors, Is.Empty, "Errors were logged that the test did not announce.");
            Assert.That(_announced.Where(entry => entry.Value == 0).Select(entry => entry.Key), Is.Empty, "Errors were announced and did not come.");
        });
    }

    public void Dispose()
    {
    }

    /// <summary>A part of the server that tells of attacks as of errors, where a test attacks.</summary>
    public string? Attacked { get; set; }

    private void Add(LogLevel level, int eventId, string text)
    {
        _lines.Enqueue((eventId, text));
        if (level < LogLevel.Error || (Attacked is { } part && text.StartsWith(part, StringComparison.Ordinal)))
        {
            return;
        }

        if (_announced.TryGetValue(eventId, out var seen))
        {
            _announced[eventId] = seen + 1;
        }
        else
        {
            _errors.Enqueue(text);
        }
    }

    private sealed class Writer(QuietLog log, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        // The caller of a failed call is answered by the node's own interceptor, which logs it once; the library's second line is not kept either.
        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information && category != "Grpc.AspNetCore.Server.ServerCallHandler";

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                log.Add(logLevel, eventId.Id, $"{category}: {formatter(state, exception)} {exception}");
            }
        }
    }
}
