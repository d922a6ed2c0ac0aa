using System.Text;
using System.Text.Json;
using EvenKeel.Kafka.Telemetry;
using Xunit;

namespace EvenKeel.Kafka.Tests.Telemetry;

public sealed class ClientStatisticsTests
{
    [Fact]
    public void What_is_measured_is_read_and_everything_else_is_passed_over()
    {
        var statistics = Parse("""
            {"name":"rdkafka#producer-1","ts":12,"type":"producer","msg_cnt":3,"msg_size":40,"novel":{"deep":[1,{"x":null}]},
            "brokers":{"GroupCoordinator":{"nodeid":-1,"nodename":":0","state":"INIT"},
             "h:9092/1":{"name":"h:9092/1","nodeid":1,"nodename":"[::1]:9092","state":"UP","outbuf_cnt":2,"waitresp_cnt":1,"txbytes":9,"txerrs":2,
              "txretries":4,"req_timeouts":5,"rxbytes":8,"rxerrs":1,"disconnects":6,"rtt":{"min":1,"cnt":3,"avg":1500,"p99":9000},"req":{"Fetch":0},
              "toppars":{"t-0":{"topic":"t","partition":0}}}},
            "topics":{"t":{"topic":"t","age":1,"batchsize":{"avg":1},"partitions":{
              "0":{"partition":0,"msgq_cnt":5,"xmit_msgq_cnt":6,"msgs_inflight":7,"consumer_lag":8},
              "-1":{"partition":-1,"msgq_cnt":1}}}},"cgrp":{"state":"up"}}
            """);

        Assert.Equal(("rdkafka#producer-1", 12, 3, 40, 0), (statistics.Client, statistics.Timestamp, statistics.Messages, statistics.MessageBytes, statistics.Omitted));
        Assert.Equal(
            new BrokerStatistics
            {
                Host = "::1",
                Port = 9092,
                IsUp = true,
                Queued = 2,
                InFlight = 1,
                Retries = 4,
                TimedOut = 5,
                Errors = 3,
                Disconnects = 6,
                BytesSent = 9,
                BytesReceived = 8,
                RoundTrips = 3,
                RoundTripMeanUs = 1500,
                RoundTripP99Us = 9000,
            },
            Assert.Single(statistics.Brokers));
        Assert.Equal(new PartitionStatistics("t", 0) { Queued = 11, InFlight = 7, Lag = 8 }, Assert.Single(statistics.Partitions));
    }

    [Fact]
    public void Brokers_and_partitions_are_bounded_and_those_left_out_are_counted()
    {
        var brokers = string.Join(',', Enumerable.Range(0, 100).Select(i => $"\"b{i}\":{{\"nodeid\":{i},\"nodename\":\"h{i}:1\",\"state\":\"UP\"}}"));
        var partitions = string.Join(',', Enumerable.Range(0, 1000).Select(i => $"\"{i}\":{{\"partition\":{i}}}"));

        var statistics = Parse($"{{\"brokers\":{{{brokers}}},\"topics\":{{\"t\":{{\"partitions\":{{{partitions}}}}}}}}}");

        Assert.Equal(
            (ClientStatistics.MaxBrokers, ClientStatistics.MaxPartitions, 36 + 488),
            (statistics.Brokers.Count, statistics.Partitions.Count, statistics.Omitted));
    }

    [Theory]
    [InlineData("{\"brokers\":[],\"topics\":7,\"ts\":\"soon\",\"msg_cnt\":1.5}")]
    [InlineData("{}")]
    [InlineData("[1]")]
    public void Values_of_another_type_are_no_values(string json)
    {
        var statistics = Parse(json);

        Assert.Equal((0, 0, 0L), (statistics.Brokers.Count, statistics.Partitions.Count, statistics.Messages));
    }

    [Fact]
    public void What_is_no_json_is_refused() => Assert.ThrowsAny<JsonException>(() => Parse("{\"brokers\":"));

    private static ClientStatistics Parse(string json) => ClientStatistics.Parse(Encoding.UTF8.GetBytes(json));
}
