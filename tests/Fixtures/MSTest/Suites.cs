using System.Globalization;
using Microsoft.VisualStudio.TestTools.UnitTesting;
[assembly: Parallelize(Scope = ExecutionScope.ClassLevel)]
namespace Fixture.Stable
{
    [TestClass]
    public class Fine
    {
        [TestMethod]
        public void Passes() {  }
        [TestMethod]
        public async Task Waits() {  await Task.Delay(20); }
        [TestMethod]
        [DataRow(1)]
        [DataRow(2)]
        public void Takes_rows(int number) { if (!(number > 0)) throw new InvalidOperationException("no"); }

    }

}
namespace Fixture.Order
{
    internal static class Shared { public static int Users; }

    [TestClass]
    public class APolluting
    {
        [TestMethod]
        public void Leaves_a_user_behind() { Shared.Users++; }
        [TestMethod]
        public void Is_fine() {  }

    }

    [TestClass]
    public class BVictims
    {
        [TestMethod]
        public void Expects_no_users() { if (!(Shared.Users == 0)) throw new InvalidOperationException("there are users"); }
        [TestMethod]
        public void Is_innocent() {  }

    }

}
namespace Fixture.Surroundings
{
    [TestClass]
    public class Depends
    {
        [TestMethod]
        public void On_the_culture() { if (!("I".ToLower(CultureInfo.CurrentCulture) == "i")) throw new InvalidOperationException("no i"); }
        [TestMethod]
        public void On_nothing() {  }

    }

}
namespace Fixture.Chance
{
    [TestClass]
    public class Broken
    {
        [TestMethod]
        public void Always_fails() { if (!(Environment.ProcessId < 0)) throw new InvalidOperationException("broken"); }
        [TestMethod]
        public void Passes() {  }

    }

}
namespace Fixture.Crash
{
    [TestClass]
    public class Ending
    {
        [TestMethod]
        public void Aborts_the_process() { Environment.FailFast("on purpose"); }
        [TestMethod]
        public void Is_fine() {  }

    }

}
namespace Fixture.Hang
{
    [TestClass]
    public class Waiting
    {
        [TestMethod]
        public void Never_ends() { new ManualResetEventSlim().Wait(); }
        [TestMethod]
        public void Is_fine() {  }

    }

}
