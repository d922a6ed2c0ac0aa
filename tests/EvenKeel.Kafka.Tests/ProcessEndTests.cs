using System.Diagnostics;
using System.Text.RegularExpressions;
using EvenKeel.Kafka.Tests.Native;
using EvenKeel.Kafka.Tests.Producing;
using Xunit;

namespace EvenKeel.Kafka.Tests;

/// <summary>
/// Scenarios that end the whole process, not a test, if the safety that they are about is not there: they run in a process of their own
/// (this executable, with one explicit test), and its end is what is looked at.
/// </summary>
public sealed partial class ProcessEndTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    [Fact]
    public Task The_gate_keeps_the_process_alive_when_a_client_is_disposed_of_under_senders() =>
        PassesInItsOwnProcessAsync<ClientHandleTests>(
            nameof(ClientHandleTests.Of_eight_threads_that_send_while_another_disposes_each_send_is_reported_once_or_refused));

    [Fact]
    public Task The_credits_keep_the_process_alive_when_more_is_sent_than_fits() =>
        PassesInItsOwnProcessAsync<SendTests>(
            nameof(SendTests.A_full_producer_makes_senders_wait_in_their_order_and_never_meets_a_full_queue));

    private static async Task PassesInItsOwnProcessAsync<T>(string method)
    {
        var test = $"{typeof(T).FullName}.{method}";
        var start = new ProcessStartInfo("dotnet", [typeof(T).Assembly.Location, "--filter-method", test, "--explicit", "on", "--no-progress"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        try
        {
            var token = TestContext.Current.CancellationToken;
            var (output, errors) = (process.StandardOutput.ReadToEndAsync(token), process.StandardError.ReadToEndAsync(token));
            await process.WaitForExitAsync(token).WaitAsync(Limit, token);

            // 139: SIGSEGV, 134: SIGABRT, of librdkafka or of an exception that nobody caught.
            Assert.True(process.ExitCode == 0, $"{test} ended its process with {process.ExitCode}:\n{await output}\n{await errors}");
            Assert.Matches(Passed(), await output);
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
    }

    [GeneratedRegex("succeeded: [1-9]")]
    private static partial Regex Passed();
}
