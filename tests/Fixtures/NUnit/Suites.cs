using System.Globalization;
using NUnit.Framework;
[assembly: Parallelizable(ParallelScope.Fixtures)]
namespace Fixture.Stable
{
    [TestFixture]
    public class Fine
    {
        [Test]
        public void Passes() { }
        [Test]
        public async Task Waits() { await Task.Delay(20); }

        [TestCase(1)]
        [TestCase(2)]
        public void Takes_rows(int number) { if (!(number > 0)) throw new InvalidOperationException("no"); }

    }

}
namespace Fixture.Order
{
    internal static class Shared { public static int Users; }

    [TestFixture]
    public class APolluting
    {
        [Test]
        public void Leaves_a_user_behind() { Shared.Users++; }
        [Test]
        public void Is_fine() { }

    }

    [TestFixture]
    public class BVictims
    {
        [Test]
        public void Expects_no_users() { if (!(Shared.Users == 0)) throw new InvalidOperationException("there are users"); }
        [Test]
        public void Is_innocent() { }

    }

}
namespace Fixture.Surroundings
{
    [TestFixture]
    public class Depends
    {
        [Test]
        public void On_the_culture() { if (!("I".ToLower(CultureInfo.CurrentCulture) == "i")) throw new InvalidOperationException("no i"); }
        [Test]
        public void On_nothing() { }

    }

}
namespace Fixture.Chance
{
    [TestFixture]
    public class Broken
    {
        [Test]
        public void Always_fails() { if (!(Environment.ProcessId < 0)) throw new InvalidOperationException("broken"); }
        [Test]
        public void Passes() { }

    }

}
namespace Fixture.Crash
{
    [TestFixture]
    public class Ending
    {
        [Test]
        public void Aborts_the_process() { Environment.FailFast("on purpose"); }
        [Test]
        public void Is_fine() { }

    }

}
namespace Fixture.Hang
{
    [TestFixture]
    public class Waiting
    {
        [Test]
        public void Never_ends() { new ManualResetEventSlim().Wait(); }
        [Test]
        public void Is_fine() { }

    }

}
namespace Fixture.Behind
{
    // NUnit's own order runs the victim first, and never shows it.
    internal static class Shared { public static int Users; }

    [TestFixture]
    public class AVictims
    {
        [Test]
        public void Expects_no_users() { if (!(Shared.Users == 0)) throw new InvalidOperationException("there are users"); }
        [Test]
        public void Is_innocent() { }

    }

    [TestFixture]
    public class BPolluting
    {
        [Test]
        public void Is_fine() { }
        [Test]
        public void Leaves_a_user_behind() { Shared.Users++; }

    }

}
namespace Fixture.Names
{
    [TestFixture]
    public class Odd
    {
        [TestCase("line\nbreak")]
        [TestCase("(paren")]
        [TestCase("a|b&c=d~e!f")]
        [TestCase("\u001b[31m")]
        [TestCase("ünï 漢字 🎉")]
        [TestCase("same")]
        [TestCase("same")]
        public void Takes(string text) { if (text.Length == 0) throw new InvalidOperationException("empty"); }

        [TestCase(TestName = "Twice")]
        public void One() { }

        [TestCase(TestName = "Twice")]
        public void Two() { }
    }

}
