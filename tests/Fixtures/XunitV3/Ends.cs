using System.Diagnostics;
using Xunit;

namespace Fixture.Crash
{
    public sealed class Ending
    {
        [Fact]
        public void Aborts_the_process() => Environment.FailFast("on purpose");

        [Fact]
        public void Is_fine() { }
    }

    public sealed class Beside
    {
        [Fact]
        public void Is_fine_too() { }
    }
}

namespace Fixture.Exit
{
    public sealed class Ending
    {
        [Fact]
        public void Leaves_with_zero() => Environment.Exit(0);

        [Fact]
        public void Is_fine() { }
    }
}

namespace Fixture.Overflow
{
    public sealed class Ending
    {
        [Fact]
        public void Overflows_its_stack() => Assert.True(Deep(1) > 0);

        [Fact]
        public void Is_fine() { }

        private static int Deep(int level) => level < 0 ? 0 : Deep(level + 1) + 1;
    }
}

namespace Fixture.Hang
{
    public sealed class Waiting
    {
        [Fact]
        public void Never_ends() => new ManualResetEventSlim().Wait();

        [Fact]
        public void Is_fine() { }
    }
}

namespace Fixture.Unhandled
{
    public sealed class Throwing
    {
        // The framework takes it as an error of nobody, goes on, and says so beside its results.
        [Fact]
        public void Has_a_thread_that_throws()
        {
            var thread = new Thread(() => throw new InvalidOperationException("on a thread of its own"));
            thread.Start();
            thread.Join(2000);
        }

        [Fact]
        public void Is_fine() { }
    }
}

namespace Fixture.Teardown
{
    public sealed class Leaving
    {
        [Fact]
        public void Leaves_a_thread_for_a_while()
        {
            new Thread(() => Thread.Sleep(4000)) { Name = "left-behind" }.Start();
        }

        [Fact]
        public void Is_fine() { }

        [Fact]
        public void Is_fine_too() { }
    }
}

namespace Fixture.Stuck
{
    public sealed class Leaving
    {
        [Fact]
        public void Leaves_a_thread_for_good()
        {
            new Thread(() => Thread.Sleep(Timeout.Infinite)) { Name = "for-good" }.Start();
        }

        [Fact]
        public void Is_fine() { }
    }
}

namespace Fixture.Leaks
{
    public sealed class Leaving
    {
        private static readonly List<object> Kept = [];

        [Fact]
        public void Leaves_a_process() => Process.Start("sleep", "300");

        [Fact]
        public void Leaves_a_file() => File.WriteAllText(Path.Combine(Path.GetTempPath(), "left.txt"), "x");

        [Fact]
        public void Leaves_a_listener()
        {
            var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
            listener.Start();
            Kept.Add(listener);
        }

        [Fact]
        public void Leaves_a_variable() => Environment.SetEnvironmentVariable("FIXTURE_LEFT", "1");

        [Fact]
        public void Leaves_nothing() { }
    }
}
